package twitter

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecodePage is what a run does with a full page of a search.
func BenchmarkDecodePage(b *testing.B) {
	posts := make([]string, 50)
	for i := range posts {
		id := 2116683700763480388 + i
		posts[i] = fmt.Sprintf(`{"id":"%d","text":"Going serverless: what we learned in three years &amp; 40 functions https://t.co/Qm3vXb9TzK","author_id":"2116",`+
			`"created_at":"2026-11-01T00:08:15.000Z","lang":"en","edit_history_tweet_ids":["%d"],"possibly_sensitive":false}`, id, id)
	}
	body := []byte(`{"data":[` + strings.Join(posts, ",") + `],"meta":{"result_count":50,"newest_id":"2116683700763480437","oldest_id":"2116683700763480388"}}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if page, err := decodePage(body); err != nil || len(page.Posts) != 50 {
			b.Fatalf("%d posts: %v", len(page.Posts), err)
		}
	}
}
