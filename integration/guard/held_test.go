package guard_test

const (
	maxBinary      = 9_550_000 // bytes, of the larger of both architectures
	maxZip         = 3_900_000
	maxInit        = 320_000 // bytes allocated before main
	maxPackageInit = 85_000
	maxNew         = 220 // allocations
	maxFirst       = 430
	maxRewrite     = 6.6 // for each post
)
