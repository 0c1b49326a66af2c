package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A binary is one function for one architecture.
type binary struct {
	Function, Arch string
	Binary, Zip    int64
	Sum            string // of the zip, its first digits
}

// A part is what the packages of one module have in a binary, in bytes of code
// and data.
type part struct {
	Module string
	Bytes  int64
}

func size(ctx context.Context, dir string, p *page) error {
	for _, arch := range []string{"arm64", "amd64"} {
		for _, name := range []string{"superman", "batman"} {
			b, err := zipped(ctx, root, filepath.Join(dir, arch, name), arch, name)
			if err != nil {
				return err
			}
			p.Binaries = append(p.Binaries, b)
		}
	}
	var err error
	if p.Parts, err = parts(ctx, dir); err != nil {
		return err
	}
	p.Unattributed = p.Binaries[0].Binary
	for _, part := range p.Parts {
		p.Unattributed -= part.Bytes
	}
	return nil
}

// zipped makes a function's zip out of the tree at root the way make build
// does.
func zipped(ctx context.Context, root, dir, arch, name string) (binary, error) {
	bootstrap := filepath.Join(dir, "bootstrap")
	if err := build(ctx, root, arch, stripped, bootstrap, "./functions/"+name); err != nil {
		return binary{}, err
	}
	zip := filepath.Join(dir, name+".zip")
	if _, err := command(ctx, ".", nil, "go", "tool", "-modfile=../tools/go.mod", "build-lambda-zip", "-o", zip, bootstrap); err != nil {
		return binary{}, err
	}
	raw, err := os.Stat(bootstrap)
	if err != nil {
		return binary{}, err
	}
	text, err := os.ReadFile(zip)
	if err != nil {
		return binary{}, err
	}
	return binary{name, arch, raw.Size(), int64(len(text)), fmt.Sprintf("%.6x", sha256.Sum256(text))}, nil
}

// parts adds up superman's symbols by module.
func parts(ctx context.Context, dir string) ([]part, error) {
	bootstrap := filepath.Join(dir, "symbols")
	if err := build(ctx, root, "arm64", "", bootstrap, "./functions/superman"); err != nil {
		return nil, err
	}
	file, err := elf.Open(bootstrap)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	deps, err := command(ctx, root, []string{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"}, "go", "list", "-deps", "-tags", "lambda.norpc",
		"-f", "{{.ImportPath}} {{if .Standard}}Go's own{{else}}{{.Module.Path}}{{end}}", "./functions/superman")
	if err != nil {
		return nil, err
	}
	modules := make(map[string]string)
	for line := range strings.Lines(deps) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		modules[path] = module
	}
	bytes := make(map[string]int64)
	for _, symbol := range symbols {
		if int(symbol.Section) >= len(file.Sections) || file.Sections[symbol.Section].Type == elf.SHT_NOBITS {
			continue // zeroes are not in the file
		}
		if module := modules[packageOf(symbol.Name)]; module != "" {
			bytes[module] += int64(symbol.Size)
		}
	}
	var list []part
	for module, n := range bytes {
		list = append(list, part{module, n})
	}
	slices.SortFunc(list, func(a, b part) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list, nil
}

// packageOf returns the import path in a symbol such as
// "github.com/aws/smithy-go/middleware.(*Stack).HandleMiddleware". The linker
// writes a dot in a path's last element as %2e.
func packageOf(symbol string) string {
	for _, prefix := range []string{"type:.eq.", "type:.hash.", "go:itab.*", "go:itab.", "go:struct "} {
		symbol = strings.TrimPrefix(symbol, prefix)
	}
	if end := strings.IndexAny(symbol, "[(,"); end >= 0 {
		symbol = symbol[:end] // a type argument or a receiver has paths of its own
	}
	slash := strings.LastIndexByte(symbol, '/') + 1
	element, _, _ := strings.Cut(symbol[slash:], ".")
	return strings.ReplaceAll(symbol[:slash]+element, "%2e", ".")
}
