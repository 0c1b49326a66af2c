package config

import (
	"fmt"
	"testing"
)

// BenchmarkHit is what every invocation pays while the snapshot is fresh.
func BenchmarkHit(b *testing.B) {
	l := mustNew[settings](b, newStore("/pair", pair("t", "s")), pairEnviron()...)
	mustGet(b, l)
	b.ReportAllocs()
	for b.Loop() {
		l.Get(b.Context())
	}
}

// BenchmarkHitParallel is the same from many goroutines: run it with -cpu 1,2,4,8.
func BenchmarkHitParallel(b *testing.B) {
	l := mustNew[settings](b, newStore("/pair", pair("t", "s")), pairEnviron()...)
	mustGet(b, l)
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			l.Get(ctx)
		}
	})
}

// BenchmarkCold is the first Get, without the time that AWS takes.
func BenchmarkCold(b *testing.B) {
	for _, n := range []int{4, 10, 100} {
		b.Run(fmt.Sprintf("parameters=%d", n), func(b *testing.B) {
			store, bindings := manyParameters(n)
			b.ReportAllocs()
			for b.Loop() {
				mustGet(b, newLoader(store, bindings, func(map[string]string) (struct{}, []Problem) { return struct{}{}, nil }))
			}
		})
	}
}

// BenchmarkNew is the check of the environment at start.
func BenchmarkNew(b *testing.B) {
	environ := pairEnviron("LIMIT=4", "IGNORE=1,2,3")
	store := newStore()
	b.ReportAllocs()
	for b.Loop() {
		mustNew[settings](b, store, environ...)
	}
}
