package reliability_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local"
)

// The page about reliability has a row for each fault, and every scenario that
// there is, and no test that there is not.
func TestPage(t *testing.T) {
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page := read("docs/reliability.md")

	rows := regexp.MustCompile(`(?m)^\| (\d+) \|.*$`).FindAllStringSubmatch(page, -1)
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) || !strings.Contains(row[0], fmt.Sprintf(" `%02d_", i+1)) {
			t.Errorf("row %d begins %.40q or names no scenario of its own", i+1, row[0])
		}
	}
	if len(rows) != 32 {
		t.Errorf("%d rows, want 32", len(rows))
	}

	var told, there []string
	for _, m := range regexp.MustCompile("([SR]) `(\\d\\d_\\w+)`").FindAllStringSubmatch(page, -1) {
		told = append(told, m[1]+" "+m[2])
	}
	for where, file := range map[string]string{"S": "integration/simulation/scenarios_test.go", "R": "integration/reliability/scenarios_test.go"} {
		for _, m := range regexp.MustCompile(`\{"(\d\d_\w+)", `).FindAllStringSubmatch(read(file), -1) {
			there = append(there, where+" "+m[1])
		}
	}
	slices.Sort(told)
	slices.Sort(there)
	if diff := cmp.Diff(there, told); diff != "" {
		t.Errorf("scenarios of the page (-there +told):\n%s", diff)
	}

	var tests string
	for _, dir := range []string{"integration/simulation", "integration/reliability", "pkg/config", "pkg/twitter"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			tests += read(name)
		}
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(tests, "func "+m[1]+"(") {
			t.Errorf("there is no %s", m[1])
		}
	}
}
