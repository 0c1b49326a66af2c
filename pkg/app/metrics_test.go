package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/superbots/pkg/bot"
)

func TestMetrics(t *testing.T) {
	report := bot.Report{
		Posted: 2, Skipped: map[string]int{"reply": 3, "no-word": 1}, Unknown: 1, CostUSD: 0.075,
		Config: bot.Config{AgeSeconds: 1.5},
	}
	for _, test := range []struct {
		stopped   string
		err       error
		succeeded float64
	}{
		{"", nil, 1},
		{"budget", nil, 1},
		{"posts per day", nil, 1},
		{"credentials refused", nil, 0},
		{"no credits", nil, 0},
		{"", errors.New("no settings"), 0},
	} {
		report.Stopped = test.stopped
		var out bytes.Buffer
		writeMetrics(&out, "superbots-dev-superman", time.UnixMilli(1795000000123), report, test.err)
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
			t.Fatalf("%d lines, want one", n)
		}
		var line struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		var values map[string]any
		if err := errors.Join(json.Unmarshal(out.Bytes(), &line), json.Unmarshal(out.Bytes(), &values)); err != nil {
			t.Fatal(err)
		}
		declared := line.AWS.CloudWatchMetrics[0]
		if line.AWS.Timestamp != 1795000000123 || declared.Namespace != "Superbots" || declared.Dimensions[0][0] != "FunctionName" ||
			values["FunctionName"] != "superbots-dev-superman" {
			t.Errorf("declared %+v", line.AWS)
		}
		want := map[string]float64{
			"Succeeded": test.succeeded, "Posted": 2, "Unknown": 1, "ConfigAge": 1.5, "Cost": 0.075, "Skipped reply": 3, "Skipped no-word": 1,
		}
		var names []string
		for _, m := range declared.Metrics {
			names = append(names, m.Name)
			if values[m.Name] != want[m.Name] {
				t.Errorf("stopped %q: %s is %v, want %v", test.stopped, m.Name, values[m.Name], want[m.Name])
			}
		}
		if slices.Sort(names); len(names) != len(want) {
			t.Errorf("metrics %q, want all of %v", names, want)
		}
	}
}
