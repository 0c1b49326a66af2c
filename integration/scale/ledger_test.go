package scale

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/superbots/functions"
	"example.com/superbots/pkg/bot"
	"example.com/superbots/pkg/ledger"
	"example.com/superbots/pkg/twitter"
)

// A world is one bot on a DynamoDB table, and the X that it looks at.
type world struct {
	t     *testing.T
	table *table
	store *ledger.Table
	posts []twitter.Post // newest first
	last  uint64
}

// start is called in a synctest bubble, whose clock it sets to a time at which
// X has ids.
func start(t *testing.T) *world {
	time.Sleep(time.Until(time.Date(2026, 11, 23, 0, 0, 0, 123_456_789, time.UTC)))
	w := &world{t: t, table: &table{items: make(map[string]item)}}
	w.table.clear()
	w.store = ledger.NewTable(dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("id", "secret", ""),
		BaseEndpoint: aws.String("http://127.0.0.1:1"),
		HTTPClient:   &http.Client{Transport: w.table},
	}), "ledger")
	return w
}

// Search implements bot.X.
func (w *world) Search(_ context.Context, _ string, since, until uint64, most int) (twitter.Page, error) {
	var page twitter.Page
	for _, p := range w.posts {
		if p.ID <= since || until != 0 && p.ID >= until {
			continue
		}
		if len(page.Posts) == most {
			page.More = true
			break
		}
		page.Posts = append(page.Posts, p)
	}
	if n := len(page.Posts); n > 0 {
		page.Newest, page.Oldest = page.Posts[0].ID, page.Posts[n-1].ID
	}
	return page, nil
}

// Timeline implements bot.X. No outcome is unknown here, so nobody asks.
func (w *world) Timeline(context.Context, string, uint64, uint64, int) (twitter.Page, error) {
	panic("the own timeline is read")
}

// Create implements bot.X.
func (w *world) Create(context.Context, string) (uint64, error) { return w.id(), nil }

func (w *world) id() uint64 {
	w.last = max(w.last+1, twitter.FirstID(time.Now()))
	return w.last
}

// say puts a post into X.
func (w *world) say(text string) {
	p := twitter.Post{ID: w.id(), Author: "1800000000000000001", Text: text, Lang: "en", CreatedAt: time.Now()}
	p.FirstID = p.ID
	w.posts = slices.Insert(w.posts, 0, p)
}

// run does one run.
func (w *world) run() bot.Report {
	w.t.Helper()
	// As app names it: the request's id, and a text that no other run has.
	name := fmt.Sprintf("11111111-2222-4333-8444-555555555555/%026d", w.last)
	book, err := ledger.Load(w.t.Context(), w.store, functions.Superman.Name, name)
	if err != nil {
		w.t.Fatal(err)
	}
	r := bot.Run{
		Bot: functions.Superman,
		Settings: bot.Settings{
			Mode: bot.PostMode, PostsPerRun: 50, PostsPerDay: 50, DailyBudget: bot.USD(10), Settle: 20 * time.Minute, Resend: bot.ResendOnce,
		},
		UserID:      "1700000000000000001",
		Credentials: bot.Credentials{X: w},
		Ledger:      book,
		Log:         slog.New(slog.DiscardHandler),
	}
	report, err := r.Do(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// bubble gives f a world whose clock stands still while anything happens.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, start(t)) })
}

// wantUnits does one run and checks what it took.
func (w *world) wantUnits(what string, run Run) {
	w.t.Helper()
	w.table.clear()
	report := w.run()
	skipped := 0
	for _, n := range report.Skipped {
		skipped += n
	}
	if report.Posted != run.Posted || skipped != run.Skipped || report.Pending+report.Unknown+report.Dead > 0 {
		w.t.Errorf("%s: report %+v, want %+v", what, report, run)
	}
	if got, want := w.table.units, run.Units(); got != want {
		w.t.Errorf("%s: %+v in %v, and the model has %+v", what, got, w.table.calls, want)
	}
}

func TestUnitsOfARun(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.wantUnits("nothing was ever found", Run{})
		w.say("serverless")
		w.wantUnits("one short post", Run{Returned: 1, Posted: 1})
		w.wantUnits("the same again", Run{Returned: 1})
		w.say("serverless " + strings.Repeat("many words ", 24))
		w.wantUnits("one of 275 characters", Run{Returned: 2, Posted: 1})
		w.say("no word of it")
		w.say("nor here")
		w.wantUnits("two to skip", Run{Returned: 4, Skipped: 2})

		time.Sleep(time.Hour)
		w.say("no word, an hour later")
		w.wantUnits("one more, with the half hour before the newest", Run{Returned: 5, Skipped: 1})
		time.Sleep(10 * time.Minute)
		w.wantUnits("only the newest one is left of that half hour", Run{Returned: 1})

		time.Sleep(time.Hour)
		for i := range 3 {
			w.say(fmt.Sprint("serverless, for the ", i+1, ". time"))
		}
		w.wantUnits("three", Run{Returned: 4, Posted: 3})
		time.Sleep(time.Hour)
		for i := range 46 {
			w.say(fmt.Sprint("nothing ", i))
		}
		w.wantUnits("a full page", Run{Returned: 49, Skipped: 46})
	})
}

// A bot lives through five days, with posts that come whenever somebody writes
// one.
func TestUnitsOfADay(t *testing.T) {
	const days = 5
	for _, test := range []struct {
		day   Day
		every time.Duration
	}{
		{Day{}, time.Hour},
		{Day{Found: 2, Posted: 2}, 10 * time.Minute},
		{Day{Found: 20, Posted: 10}, 10 * time.Minute},
		{Day{Found: 20, Posted: 10}, time.Hour},
		{Day{Found: 100, Posted: 20}, time.Hour},
	} {
		t.Run(fmt.Sprintf("%d of %d every %v", test.day.Posted, test.day.Found, test.every), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				rng := rand.New(rand.NewPCG(1, 2))
				begin := time.Now()
				var times []time.Time // at which somebody writes
				for range test.day.Found * days {
					times = append(times, begin.Add(time.Duration(rng.Int64N(int64(days*24*time.Hour)))))
				}
				slices.SortFunc(times, time.Time.Compare)
				dollars := 0.0
				for range days * int(24*time.Hour/test.every) {
					tick := time.Now().Add(test.every)
					for len(times) > 0 && times[0].Before(tick) {
						time.Sleep(time.Until(times[0]))
						text := "not a word"
						if len(times)%test.day.Found < test.day.Posted {
							text = fmt.Sprint("serverless, with ", len(times), " to come")
						}
						w.say(text)
						times = times[1:]
					}
					time.Sleep(time.Until(tick))
					dollars += w.run().CostUSD
				}
				reads, writes := test.day.Units(test.every)
				for _, check := range []struct {
					what      string
					got, want float64
				}{
					{"read units", float64(w.table.units.Reads) / days, reads},
					{"write units", float64(w.table.units.Writes) / days, writes},
					{"dollars for X", dollars / days, test.day.X()},
				} {
					if math.Abs(check.got-check.want) > 0.05*check.want {
						t.Errorf("%s a day: %.4g, and the model has %.4g", check.what, check.got, check.want)
					}
				}
			})
		})
	}
}
