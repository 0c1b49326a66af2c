package app

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"example.com/superbots/pkg/bot"
)

// metric is a number of a run, as CloudWatch's embedded metric format declares
// it.
type metric struct {
	Name, Unit string
}

// writeMetrics writes the numbers of a run as one line of JSON from which
// CloudWatch makes metrics, without a call
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// Skipped posts have a metric for each reason, "Skipped reply" for one.
func writeMetrics(w io.Writer, function string, now time.Time, r bot.Report, err error) {
	succeeded := 0
	if err == nil && r.Worked() {
		succeeded = 1
	}
	line := map[string]any{
		"FunctionName": function,
		"Succeeded":    succeeded,
		"Posted":       r.Posted,
		"Unknown":      r.Unknown,
		"ConfigAge":    r.Config.AgeSeconds,
		"Cost":         r.CostUSD,
	}
	metrics := []metric{{"Succeeded", "Count"}, {"Posted", "Count"}, {"Unknown", "Count"}, {"ConfigAge", "Seconds"}, {"Cost", "None"}}
	for reason, n := range r.Skipped {
		name := "Skipped " + reason
		line[name] = n
		metrics = append(metrics, metric{name, "Count"})
	}
	line["_aws"] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  "Superbots",
			"Dimensions": [][]string{{"FunctionName"}},
			"Metrics":    metrics,
		}},
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // unreachable: numbers and strings always encode
	}
	fmt.Fprintf(w, "%s\n", text)
}
