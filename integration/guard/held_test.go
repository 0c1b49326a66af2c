package guard_test

// Allocations vary by a few with the seeds of Go's maps.
const (
	maxBinary      = 9_550_000 // bytes, of the larger of both architectures
	maxZip         = 3_900_000
	maxInit        = 275_000 // bytes allocated before main
	maxPackageInit = 85_000
	maxNew         = 240 // allocations
	maxFirst       = 470
	maxRewrite     = 7 // for each post
)
