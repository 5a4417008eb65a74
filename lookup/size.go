package lookup

// sizeOf is about how long a value is as JSON, in bytes. It counts no escapes: it stands between megabytes.
func sizeOf(v any) int64 {
	const punctuation, number = 2, 8
	switch v := v.(type) {
	case string:
		return int64(len(v)) + punctuation
	case map[string]any:
		n := int64(punctuation)
		for key, value := range v {
			n += int64(len(key)) + 2*punctuation + sizeOf(value)
		}
		return n
	case []any:
		n := int64(punctuation)
		for _, value := range v {
			n += sizeOf(value) + 1
		}
		return n
	default:
		return number
	}
}
