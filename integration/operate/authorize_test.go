package operate_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"example.com/superbots/integration/local/x"
)

func TestAuthorize(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.ready()

	want := []string{`{"consumer_key":"` + appKey + `","consumer_secret":"` + appSecret + `"}`}
	if diff := cmp.Diff(want, d.versions("shared/twitter")); diff != "" {
		t.Errorf("shared/twitter (-want +got):\n%s", diff)
	}
	superman, batman := id(d.bots["superman"]), id(d.bots["batman"])
	for bot, user := range map[string]string{"superman": superman, "batman": batman} {
		values := d.versions(bot + "/twitter")
		var fields map[string]string
		if len(values) != 1 || json.Unmarshal([]byte(values[0]), &fields) != nil {
			t.Fatalf("%s/twitter has %d versions, want one in JSON", bot, len(values))
		}
		if !strings.HasPrefix(fields["access_token"], user+"-") || fields["access_secret"] == "" ||
			fields["user_id"] != user || fields["screen_name"] != bot+"bot" || len(fields) != 4 {
			t.Errorf("%s/twitter does not hold the keys of user %s", bot, user)
		}
		out, err := d.client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/superbots/dev/" + bot + "/twitter")})
		if err != nil || out.Parameter.Type != "SecureString" {
			t.Errorf("%s/twitter: type %v, error %v, want a SecureString", bot, out.Parameter.Type, err)
		}
	}
	if diff := cmp.Diff([]string{superman, superman + "," + batman}, d.versions("shared/ignore")); diff != "" {
		t.Errorf("shared/ignore (-want +got):\n%s", diff)
	}

	// Again: new keys, and nothing else is new.
	d.must(appKey+"\n"+appSecret+"\n", "authorize", "shared", "--stage", stage)
	if r := d.authorize("superman", d.asAsked); r.code != 0 {
		t.Errorf("a second time: exit %d\n%s", r.code, r.err)
	}
	got := []int{len(d.versions("shared/twitter")), len(d.versions("shared/ignore")), len(d.versions("superman/twitter"))}
	if diff := cmp.Diff([]int{1, 2, 2}, got); diff != "" {
		t.Errorf("versions of shared/twitter, shared/ignore, superman/twitter (-want +got):\n%s", diff)
	}
}

func id(a x.Account) string { return strconv.FormatUint(a.ID, 10) }

// The list that is there, of people who opted out, is kept.
func TestAuthorizeKeepsWhoIsIgnored(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.params.Put("/superbots/dev/shared/ignore", "String", "12, 34")
	d.ready()
	values := d.versions("shared/ignore")
	want := "12, 34," + id(d.bots["superman"]) + "," + id(d.bots["batman"])
	if got := values[len(values)-1]; got != want {
		t.Errorf("the list is %q, want %q", got, want)
	}
}

// What goes wrong leaves Parameter Store as it was, and says what to do.
func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(d *desk)
		pin    func(d *desk, link string) string
		more   []string
		want   []string
	}{
		"wrong PIN": {
			pin:  func(d *desk, link string) string { d.login(link, ""); return "0000000" },
			want: []string{"the PIN is none that X gave", "begin again"},
		},
		"no PIN": {
			pin:  func(d *desk, link string) string { return "" },
			want: []string{"no PIN was given"},
		},
		"wrong account": {
			pin:  func(d *desk, link string) string { return d.login(link, "batmanbot") },
			want: []string{"@batmanbot let the app in, not @supermanbot", "log out of X as @batmanbot"},
		},
		"an app that may only read": {
			change: func(d *desk) { d.x.SetReadOnly(appKey, true) },
			want:   []string{"the app may only read", "Read and write"},
		},
		"an app that X does not know": {
			change: func(d *desk) {
				d.params.Put("/superbots/dev/shared/twitter", "SecureString", `{"consumer_key":"k","consumer_secret":"s"}`)
			},
			want: []string{"the app's keys are none that X knows", "superbots authorize shared"},
		},
		"no app's keys": {
			change: func(d *desk) { d.delete("/superbots/dev/shared/twitter") },
			want:   []string{"there is no /superbots/dev/shared/twitter in us-east-1", "superbots authorize shared --stage dev"},
		},
		"app's keys of another shape": {
			change: func(d *desk) { d.params.Put("/superbots/dev/shared/twitter", "SecureString", `{"consumer_key":"k"}`) },
			want:   []string{`/superbots/dev/shared/twitter has no field "consumer_secret"`},
		},
		"app's keys in a plain String": {
			change: func(d *desk) {
				d.delete("/superbots/dev/shared/twitter")
				d.params.Put("/superbots/dev/shared/twitter", "String", `{"consumer_key":"k","consumer_secret":"s"}`)
			},
			want: []string{"/superbots/dev/shared/twitter is a plain String", "aws ssm delete-parameter --name /superbots/dev/shared/twitter"},
		},
		"own keys in a plain String": {
			change: func(d *desk) { d.params.Put("/superbots/dev/superman/twitter", "String", `{}`) },
			want:   []string{"/superbots/dev/superman/twitter is a plain String"},
		},
		"a list that is none": {
			change: func(d *desk) { d.params.Put("/superbots/dev/shared/ignore", "String", "@ana") },
			want:   []string{"/superbots/dev/shared/ignore must be user ids"},
		},
		"no such stage": {
			more: []string{"--stage", "prdo"},
			want: []string{`there is no stage "prdo"`, "dev, prod"},
		},
		"no credentials": {
			change: func(d *desk) { delete(d.env, "AWS_ACCESS_KEY_ID") },
			want:   []string{"no AWS credentials", "AWS_PROFILE"},
		},
		"no region": {
			change: func(d *desk) { delete(d.env, "AWS_REGION") },
			want:   []string{"no AWS region", "--region"},
		},
		"no right to read": {
			change: func(d *desk) { d.params.Deny("operator", "/superbots/dev/shared") },
			want:   []string{"reading /superbots/dev/shared/twitter: AWS denies it"},
		},
		"no AWS": {
			change: func(d *desk) { d.env["AWS_ENDPOINT_URL_SSM"] = gone(d.t) },
			want:   []string{"no answer from AWS in us-east-1"},
		},
		"no X": {
			change: func(d *desk) { d.env["TWITTER_BASE_URL"] = gone(d.t) },
			want:   []string{"no answer from X"},
		},
		"a request token that expired": {
			change: func(d *desk) { d.expire() },
			want:   []string{"the link has expired at X", "begin again"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sit(t)
			d.must(appKey+"\n"+appSecret+"\n", "authorize", "shared", "--stage", stage)
			if test.change != nil {
				test.change(d)
			}
			before := [][]string{d.versions("shared/twitter"), d.versions("shared/ignore"), d.versions("superman/twitter")}
			r := d.authorize("superman", func(link string) string {
				if test.pin == nil {
					return d.login(link, "")
				}
				return test.pin(d, link)
			}, test.more...)
			r.refused(t, name, test.want...)
			if strings.Count(strings.TrimSpace(r.err[strings.LastIndex(r.err, "superbots: "):]), "\n") > 0 {
				t.Errorf("says more than one line: %s", r.err)
			}
			after := [][]string{d.versions("shared/twitter"), d.versions("shared/ignore"), d.versions("superman/twitter")}
			if !slices.EqualFunc(before, after, slices.Equal) {
				t.Error("something was written")
			}
		})
	}
}

func TestAuthorizeSharedRefuses(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.do("guess\n"+appSecret+"\n", "authorize", "shared", "--stage", stage).refused(t, "a wrong key", "the app's keys are none that X knows")
	d.do(appKey+"\n", "authorize", "shared", "--stage", stage).refused(t, "half of it", "no consumer secret was given")
	d.do("", "authorize", "shared", "--stage", stage).refused(t, "nothing", "no consumer key was given")
	if got := d.versions("shared/twitter"); got != nil {
		t.Errorf("%d versions were written", len(got))
	}
	for name, args := range map[string][]string{
		"no such bot":        {"authorize", "no-bot", "--stage", stage},
		"no account":         {"authorize", "superman", "--stage", stage},
		"no stage":           {"authorize", "superman"},
		"an X of somebody's": {"authorize", "superman", "--stage", stage, "--base-url", "https://x.example.com"},
	} {
		if r := d.do("", args...); r.code != 2 {
			t.Errorf("%s: exit %d, want 2\n%s", name, r.code, r.err)
		}
	}
}

func (d *desk) delete(name string) {
	d.t.Helper()
	if _, err := d.client.DeleteParameter(d.t.Context(), &ssm.DeleteParameterInput{Name: &name}); err != nil {
		d.t.Fatal(err)
	}
}

// gone returns an address where nobody listens any more.
func gone(t *testing.T) string {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	return server.URL
}

// expire puts an X in front of the desk's that has forgotten every request
// token by the time it is exchanged.
func (d *desk) expire() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/access_token" {
			w.WriteHeader(http.StatusUnauthorized)
			w.Write([]byte(`{"errors":[{"code":89,"message":"Invalid or expired token."}]}`))
			return
		}
		d.x.ServeHTTP(w, r)
	}))
	d.t.Cleanup(server.Close)
	d.xURL, d.env["TWITTER_BASE_URL"] = server.URL, server.URL
}
