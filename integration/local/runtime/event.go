package runtime

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

const account = "123456789012"

// ScheduledEvent returns the event that an EventBridge schedule rule sends at a
// time, which it cuts to seconds, in UTC:
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-schedule.html.
func ScheduledEvent(at time.Time) []byte {
	b, err := json.Marshal(struct {
		Version    string   `json:"version"`
		ID         string   `json:"id"`
		DetailType string   `json:"detail-type"`
		Source     string   `json:"source"`
		Account    string   `json:"account"`
		Time       string   `json:"time"`
		Region     string   `json:"region"`
		Resources  []string `json:"resources"`
		Detail     struct{} `json:"detail"`
	}{
		Version: "0", ID: newUUID(), DetailType: "Scheduled Event", Source: "aws.events", Account: account,
		Time: at.UTC().Format("2006-01-02T15:04:05Z"), Region: "us-east-1",
		Resources: []string{"arn:aws:events:us-east-1:" + account + ":rule/schedule"},
	})
	if err != nil {
		panic(err) // unreachable: only strings
	}
	return b
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return fmt.Sprintf("%x", b)
}
