package clitest

import "fmt"

// Status is the outcome of one case.
type Status string

// The outcomes. Pass means that the engine's verdict is the one that the file wants; Skip that the case was not
// judged, for its reason; Error that it could not be.
const (
	Pass  Status = "pass"
	Fail  Status = "fail"
	Error Status = "error"
	Skip  Status = "skip"
)

// Case is what one expected result says of one resource.
type Case struct {
	Policy   string `json:"policy"`
	Rule     string `json:"rule"`
	Kind     string `json:"kind"`
	Resource string `json:"resource"` // namespace/name, or as the file names it when there is none such
	Want     string `json:"want"`     // pass, fail, skip, warn or error
	Got      string `json:"got"`      // the same, or empty if nothing was judged
	Status   Status `json:"status"`
	// Reason says why the case did not pass, and what there is to know of one that did.
	Reason string `json:"reason"`

	// Line is where the file says what is wanted, from 1; 0 for a case that passed and where it is not known.
	Line   int `json:"-"`
	result int // the place among the file's results
}

// File is one test file, with its cases in the order in which they are written.
type File struct {
	Path  string `json:"path"`
	Cases []Case `json:"cases"`

	broken bool // it cannot be read
}

// Summary counts cases by status.
type Summary struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Error int `json:"error"`
	Skip  int `json:"skip"`
}

// Report is the outcome of a run.
type Report struct {
	Files   []File  `json:"files"`
	Summary Summary `json:"summary"`

	read []string
}

// Read lists the files and folders that the tests were made of, sorted.
func (r *Report) Read() []string { return r.read }

// Broken reports whether a test file could not be read.
func (r *Report) Broken() bool {
	for i := range r.Files {
		if r.Files[i].broken {
			return true
		}
	}
	return false
}

// OnlyFailed is the report without what passed or was skipped. Its summary is still of everything.
func (r *Report) OnlyFailed() *Report {
	out := &Report{Files: []File{}, Summary: r.Summary, read: r.read}
	for _, f := range r.Files {
		kept := File{Path: f.Path, broken: f.broken}
		for _, c := range f.Cases {
			if c.Status == Fail || c.Status == Error {
				kept.Cases = append(kept.Cases, c)
			}
		}
		if len(kept.Cases) > 0 {
			out.Files = append(out.Files, kept)
		}
	}
	return out
}

// String is the numbers in one line.
func (s *Summary) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d in error, %d skipped", s.Pass, s.Fail, s.Error, s.Skip)
}

func (s *Summary) add(status Status) {
	switch status {
	case Pass:
		s.Pass++
	case Fail:
		s.Fail++
	case Error:
		s.Error++
	default:
		s.Skip++
	}
}
