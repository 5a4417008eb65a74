package jmesfn

// functions is the whole language, by name. It is made once and never written again.
var functions = index(
	stringFunctions, regexFunctions, globFunctions, numberFunctions, arithmeticFunctions, timeFunctions,
	encodingFunctions, parseFunctions, semverFunctions, imageFunctions, urlFunctions, certificateFunctions,
	randomFunctions, collectionFunctions, objectFunctions, expressionFunctions, typeFunctions, hiddenFunctions,
)

// index fills in what follows from the argument lists.
func index(groups ...[]function) map[string]*function {
	all := map[string]*function{}
	for _, group := range groups {
		for _, f := range group {
			f.MinArgs = len(f.Args)
			if f.MaxArgs != Unbounded {
				f.MaxArgs = len(f.Args)
			}
			all[f.Name] = &f
		}
	}
	return all
}

// arg, text and the like keep the tables readable.
func arg(name string, kinds Type) Arg { return Arg{Name: name, Type: kinds} }

func listOf(name string, kinds Type) Arg { return Arg{Name: name, Type: Array, Elem: kinds} }
