package deploy_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// What is wrong is refused before anything is uploaded, with words that say
// what to change.
func TestRefused(t *testing.T) {
	t.Parallel()
	const rate, address = "rate: rate(10 minutes) #", "alarmEmail: none"
	for name, test := range map[string]struct {
		change []string // pairs of old and new text
		args   []string
		want   []string
	}{
		"unknown stage": {
			args: []string{"--stage", "staging"},
			want: []string{"list the stage under params in serverless.yml"},
		},
		"misspelt use of a parameter": {
			change: []string{"${param:rate}", "${param:rat}"},
			want:   []string{`functions.superman.events.0.schedule.rate`, `Value not found at "param" source`},
		},
		"misspelt parameter of a stage": {
			change: []string{"    postsPerDay: 20", "    postsPerDay: 20\n    postPerRun: 5"},
			want:   []string{"params.default.postPerRun", "correct its name"},
		},
		"misspelt parameter on the command line": {
			args: []string{"--param", "alarmEmial=ops@example.com"},
			want: []string{"--param alarmEmial", "the names are alarmEmail, "},
		},
		"misspelt name in Parameter Store": {
			change: []string{"superman/twitter#access_secret", "supermann/twitter#access_secret"},
			want:   []string{"TWITTER_ACCESS_SECRET", "/superbots/dev/supermann/twitter", "SupermanRole may not read"},
		},
		"misspelt key": {
			change: []string{"maximumRetryAttempts", "maximumRetryAttempt"},
			want:   []string{"functions.superman", "unrecognized property 'maximumRetryAttempt'"},
		},
		"rate with a wrong plural": {
			change: []string{rate, "rate: rate(1 minutes) #"},
			want:   []string{"functions.superman.events.0.schedule.rate", "unsupported string format"},
		},
		"cron with five fields": {
			change: []string{rate, "rate: cron(0 9 * * *) #"},
			want:   []string{"functions.superman.events.0.schedule.rate", "unsupported string format"},
		},
		"cron with two days": {
			change: []string{rate, "rate: cron(0 9 * * * *) #"},
			want:   []string{`AWS would refuse the schedule "cron(0 9 * * * *)"`, `must be "?"`, "set the parameter rate"},
		},
		"cron out of range": {
			change: []string{rate, "rate: cron(0 24 * * ? *) #"},
			want:   []string{`AWS would refuse the schedule "cron(0 24 * * ? *)"`, `its field "24" is out of range`},
		},
		"log level with text": {
			change: []string{"logFormat: JSON", "logFormat: Text"},
			want:   []string{`a log level needs "logFormat: JSON" beside it`},
		},
		"empty alarm address": {
			change: []string{address, "alarmEmail: ''"},
			want:   []string{`alarmEmail is ""`, "to an address, or to none"},
		},
		"empty alarm address on the command line": {
			args: []string{"--param", "alarmEmail="},
			want: []string{`alarmEmail=`},
		},
		"wrong property of a resource": {
			change: []string{"MessageRetentionPeriod", "MessageRetentionPeriode"},
			want:   []string{"FailedEvents", "MessageRetentionPeriode"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, test.change...)
			s.refuses(t, test.args, test.want)
		})
	}
}

func TestRefusedWithoutZip(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if err := os.Remove(filepath.Join(s.dir, "dist/batman.zip")); err != nil {
		t.Fatal(err)
	}
	s.refuses(t, nil, []string{"dist/batman.zip"})
}

// refuses does what make deploy does before it deploys, and expects one of the
// steps to fail with all of the words in want.
func (s service) refuses(t *testing.T, args, want []string) {
	t.Helper()
	var calls atomic.Int32
	aws := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer aws.Close()
	env := []string{"AWS_ENDPOINT_URL=" + aws.URL, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	out, err := s.osls(t, env, append([]string{"package"}, args...)...)
	if err == nil {
		out, err = s.check(t, args...)
	}
	if err == nil {
		t.Fatal("nothing refused it")
	}
	for _, want := range want {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant it to say %q", out, want)
		}
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls to AWS", n)
	}
}
