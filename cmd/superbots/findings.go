package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// A finding is one line of a check, and one line of its JSON output.
type finding struct {
	About  string `json:"about"`
	Status string `json:"status"` // ok, problem or unknown
	What   string `json:"what"`
	Do     string `json:"do,omitempty"` // what puts a problem right
}

// findings are what a check has found so far.
type findings []finding

func (f *findings) ok(about, what string) { *f = append(*f, finding{about, "ok", what, ""}) }
func (f *findings) problem(about, what, do string) {
	*f = append(*f, finding{about, "problem", what, do})
}
func (f *findings) unknown(about, what, do string) {
	*f = append(*f, finding{about, "unknown", what, do})
}

// show writes all findings. Its error is errSaid if any is a problem.
func (f findings) show(c console, o output) (err error) {
	out := json.NewEncoder(c.out)
	out.SetEscapeHTML(false)
	for _, one := range f {
		if one.Status == "problem" {
			err = errSaid
		}
		if o.Output == "json" {
			if err := out.Encode(one); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(c.out, "%s  %-8s  %s\n", c.colour(one.Status), one.About, one.What)
		if one.Do != "" {
			fmt.Fprintf(c.out, "         %-8s  -> %s\n", "", one.Do)
		}
	}
	return err
}

// colour pads a status and, on a terminal that is not told otherwise by NO_COLOR
// (https://no-color.org), colours it.
func (c console) colour(status string) string {
	text := fmt.Sprintf("%-7s", status)
	if os.Getenv("NO_COLOR") != "" || !ansi(c.out) {
		return text
	}
	code := map[string]int{"ok": 32, "problem": 31, "unknown": 33}[status]
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", code, text)
}
