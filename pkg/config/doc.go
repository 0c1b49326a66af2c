// Package config reads the settings of a function: environment variables, each
// of which holds a value or says where in AWS Systems Manager Parameter Store
// the value is kept.
//
// The one idea is that code asks for a typed setting and never knows where it
// comes from. A struct names the variables, with the tags of
// [github.com/caarlos0/env/v11]; deployment decides for each of them:
//
//	LIMIT=20                                the value itself
//	TOKEN=ssm:/bots/dev/token               a parameter, decrypted
//	TOKEN=ssm:/bots/dev/token:3             its version 3
//	TOKEN=ssm:/bots/dev/token:live          the version with that label
//	TOKEN=ssm:/bots/dev/twitter#token       one string field of a parameter that holds a JSON object
//	TOKEN=ssm:arn:aws:ssm:…:parameter/x     a parameter that another account shares
//	TOKEN=ssm:/aws/reference/secretsmanager/bots/db:AWSCURRENT#password
//	                                        a secret of Secrets Manager, by stage or version id
//
// [New] checks all that can be checked without a call, so that a function with
// a missing or mistyped variable does not start. [Loader.Get] reads every
// parameter that the variables refer to, ten a call, and returns a [Snapshot]:
// all settings as one read found them, or none. Call Get where the settings are
// used, at each invocation, and not once at start. It reads again when the
// snapshot is due, inside the call; Lambda stops a function between
// invocations, so there is no goroutine and no timer. [Loader.Refresh] reads at
// once, for a caller whose credential was just refused.
//
// Values that must change together belong in one parameter, as fields of a
// JSON object: Parameter Store promises nothing across two, and a read between
// two writes finds one old and one new.
//
// CONFIG_TTL (15m) says how old a snapshot may get before Get reads again, and
// CONFIG_MAX_STALE (6h) how old it may serve while Parameter Store cannot be
// read. Both are durations of Go, hold the value itself, and need not be in
// the struct. A snapshot within its TTL serves whatever CONFIG_MAX_STALE is.
//
// A field of type [Secret] prints as "[secret]" wherever it goes. The package
// reads no environment of its own, logs nothing, and puts no value into an
// error. A function needs ssm:GetParameters for its parameters, and kms:Decrypt
// for the key of those that are encrypted.
package config
