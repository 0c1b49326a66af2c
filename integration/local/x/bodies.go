package x

import "strings"

// The backends name their problem types differently: the newer one since mid 2026.
const (
	newProblems = "https://api.x.com/2/problems/"
	oldProblems = "https://api.twitter.com/2/problems/"
)

// A body is one answer as X was seen to give it. Status 0 is the status of
// success of the operation that was called; "{T}" in the text is the prefix of
// the problem types.
type body struct {
	status int
	text   string
}

// bodies has every answer that can be asked for as the case of a [Fault] and
// those that the world gives by itself. Names that end in -v1 are v1.1's.
var bodies = map[string]body{
	"unauthorized": {401, `{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}`},
	"no-credits-old": {402, `{"account_id":1553086854915936256,"title":"CreditsDepleted","detail":"Your enrolled account [1553086854915936256] ` +
		`does not have any credits to fulfill this request.","type":"https://api.twitter.com/2/problems/credits"}`},
	"no-credits-new": {402, `{"detail":"credits depleted","status":402,"title":"Payment Required","type":"https://api.x.com/2/problems/credits-depleted"}`},
	"duplicate":      {403, `{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}`},
	"read-only": {403, `{"title":"Forbidden","status":403,"detail":"Your client app is not configured with the appropriate oauth1 app permissions ` +
		`for this endpoint.","type":"{T}oauth1-permissions"}`},
	"not-enrolled": {403, `{"client_id":"24578213","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens ` +
		`from a Twitter developer App that is attached to a Project. You can create a project via the developer portal.",` +
		`"registration_url":"https://developer.twitter.com/en/docs/projects/overview","title":"Client Forbidden",` +
		`"required_enrollment":"Appropriate Level of API Access","reason":"client-not-enrolled","type":"{T}client-forbidden"}`},
	"not-engaged": {403, `{"detail":"You can only reply to or quote posts where you are mentioned or are the author.","status":403,` +
		`"title":"Authorization Error","type":"https://api.x.com/2/problems/not-authorized-for-resource"}`},
	"reply-refused": {403, `{"detail":"Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author ` +
		`of the post you are replying to.","type":"about:blank","title":"Forbidden","status":403}`},
	"suspended": {403, `{"detail":"The user used for authentication is suspended","title":"Forbidden","status":403,` +
		`"type":"https://api.twitter.com/2/problems/user-suspended"}`},
	"too-long": {400, `{"errors":[{"parameters":{},"message":"Your Tweet text is too long. For more information on how Twitter determines text length ` +
		`see https://github.com/twitter/twitter-text."}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.",` +
		`"type":"{T}invalid-request"}`},
	"stale-since": {400, `{"errors":[{"parameters":{"since_id":["2075200933194039668"]},"message":"'since_id' must be a tweet id created after ` +
		`2026-07-31T11:45Z. Please use a 'since_id' that is larger than 2083157183716917248"}],"title":"Invalid Request",` +
		`"detail":"One or more parameters to your request was invalid.","type":"{T}invalid-request"}`},
	"usage-cap": {429, `{"account_id":1553086854915936256,"product_name":"standard-basic","title":"UsageCapExceeded","period":"Monthly","scope":"Product",` +
		`"detail":"Usage cap exceeded: Monthly product cap","type":"{T}usage-capped"}`},
	"rate-limit":  {429, `{"title":"Too Many Requests","detail":"Too Many Requests","type":"about:blank","status":429}`},
	"unavailable": {503, `{"title":"Service Unavailable","detail":"Service Unavailable","type":"about:blank","status":503}`},

	"bad-auth":         {400, `{"errors":[{"code":215,"message":"Bad Authentication data."}]}`},
	"auth-v1":          {401, `{"errors":[{"code":32,"message":"Could not authenticate you."}]}`},
	"invalid-token":    {401, `{"errors":[{"code":89,"message":"Invalid or expired token."}]}`},
	"clock":            {401, `{"errors":[{"code":135,"message":"Timestamp out of bounds."}]}`},
	"duplicate-v1":     {403, `{"errors":[{"code":187,"message":"Status is a duplicate."}]}`},
	"too-long-v1":      {403, `{"errors":[{"code":186,"message":"Tweet needs to be a bit shorter."}]}`},
	"rate-limit-v1":    {429, `{"errors":[{"code":88,"message":"Rate limit exceeded"}]}`},
	"over-capacity":    {503, `{"errors":[{"code":130,"message":"Over capacity"}]}`},
	"suspended-v1":     {403, `{"errors":[{"code":64,"message":"Your account is suspended and is not permitted to access this feature."}]}`},
	"no-query-v1":      {400, `{"errors":[{"code":25,"message":"Query parameters are missing."}]}`},
	"bad-parameter-v1": {403, `{"errors":[{"code":195,"message":"Missing or invalid url parameter."}]}`},
	"no-page-v1":       {404, `{"errors":[{"code":34,"message":"Sorry, that page does not exist."}]}`},
	"no-status-v1":     {403, `{"errors":[{"code":170,"message":"Missing required parameter: status."}]}`},
	"locked": {403, `{"errors":[{"code":326,"message":"To protect our users from spam and other malicious activity, this account is temporarily locked. ` +
		`Please log in to https://twitter.com to unlock your account."}]}`},
	"automated": {403, `{"errors":[{"code":226,"message":"This request looks like it might be automated. To protect our users from spam and other malicious ` +
		`activity, we can't complete this action right now. Please try again later."}]}`},
	"write-blocked": {403, `{"errors":[{"code":261,"message":"Application cannot perform write actions. Contact Twitter Platform Operations through ` +
		`https://support.twitter.com/forms/platform."}]}`},
	"v1-closed": {403, `{"errors":[{"message":"You currently have access to a subset of X API V2 endpoints and limited v1.1 endpoints (e.g. media post, oauth) ` +
		`only. If you need access to this endpoint, you may need a different access level. You can learn more here: ` +
		`https://developer.x.com/en/portal/product","code":453}]}`},
	"callback":         {403, `{"errors":[{"code":415,"message":"Callback URL not approved for this client application. Approved callback URLs can be adjusted in your application settings"}]}`},
	"invalid-verifier": {401, `Error processing your OAuth request: Invalid oauth_verifier parameter`},

	// X's own body for the first of these is not known.
	"cashtags":           {403, `{"detail":"You are not permitted to create a Post with more than one cashtag.","type":"about:blank","title":"Forbidden","status":403}`},
	"not-found":          {404, `{"title":"Not Found","type":"about:blank","status":404,"detail":"Not Found"}`},
	"method-not-allowed": {405, `{"detail":"Method Not Allowed","type":"about:blank","title":"Method Not Allowed","status":405}`},
	"too-large":          {413, `{"detail":"Payload Too Large","type":"about:blank","title":"Payload Too Large","status":413}`},

	"edge-html":   {503, "<!DOCTYPE html>\n<html><head><title>X / ?</title></head><body><h1>Something went wrong</h1><p>Don't worry, it's not your fault.</p></body></html>\n"},
	"empty":       {0, ""},
	"broken-json": {0, `{"data":[{"id":"14458805484`},
	"huge":        {0, `{"data":[{"id":"1445880548472328192","text":"`}, // and hugeBody more
	"timeout":     {0, ""},
	"reset":       {0, ""},
}

// body returns the answer of a case of bodies.
func (x *X) body(name string) answer {
	b := bodies[name]
	a := answer{status: b.status, body: strings.ReplaceAll(b.text, "{T}", x.problems())}
	switch name {
	case "edge-html", "invalid-verifier":
		a.contentType = "text/html; charset=utf-8"
	case "huge", "timeout", "reset":
		a.how = name
	}
	return a
}

func (x *X) problems() string {
	if x.Old {
		return oldProblems
	}
	return newProblems
}

// An invalid is one complaint about a parameter of a v2 request.
type invalid struct {
	Parameters map[string][]string `json:"parameters"`
	Message    string              `json:"message"`
}

// refuse is v2's answer to a request that is wrong in itself.
func (x *X) refuse(complaints ...invalid) answer {
	return answer{status: 400, doc: map[string]any{
		"errors": complaints,
		"title":  "Invalid Request",
		"detail": "One or more parameters to your request was invalid.",
		"type":   x.problems() + "invalid-request",
	}}
}

// notFound is the error that stands beside, or instead of, the data of a 200.
func (x *X) notFound(kind, parameter, id string) map[string]any {
	return map[string]any{
		"resource_id": id, "resource_type": kind, "parameter": parameter, "value": id,
		"title":  "Not Found Error",
		"detail": "Could not find " + kind + " with " + parameter + ": [" + id + "].",
		"type":   x.problems() + "resource-not-found",
	}
}
