// Looks at a packaged service for what AWS would refuse, or what would silently
// not work, before anything is uploaded. To be run where serverless.yml is:
//
//	node integration/deploy/check.mjs .serverless [--param NAME=VALUE ...]
//
// It prints a line for each finding and then exits with 1.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const excluded = {
  W3005: 'the framework itself names the role of a function in DependsOn as well',
  W8003: 'a condition on a parameter of the stage is settled before CloudFormation sees it',
}

const [folder, ...options] = process.argv.slice(2)
const path = join(folder, 'cloudformation-template-update-stack.json')
const resources = JSON.parse(readFileSync(path, 'utf8')).Resources
const state = JSON.parse(readFileSync(join(folder, 'serverless-state.json'), 'utf8'))
const ofType = (type) => Object.entries(resources).filter(([, r]) => r.Type === type)
const findings = []

// 1. A parameter that nothing asks for is a misspelt one.
const text = readFileSync('serverless.yml', 'utf8')
const files = [...text.matchAll(/\$\{file\(([^)]+)\)/g)].map(([, name]) => readFileSync(name, 'utf8'))
const asked = new Set([text, ...files].flatMap((t) => [...t.matchAll(/\$\{param:(\w+)/g)].map(([, name]) => name)))
for (const [stage, params] of Object.entries(state.service.initialServerlessConfig.params ?? {})) {
  for (const name of Object.keys(params)) {
    if (!asked.has(name)) findings.push(`params.${stage}.${name} of serverless.yml: nothing asks for it; correct its name, or remove it`)
  }
}
for (const option of options) {
  const name = /^(?:--param=)?(\w+)=/.exec(option)?.[1]
  if (name && !asked.has(name)) findings.push(`--param ${name}: nothing asks for it; the names are ${[...asked].sort().join(', ')}`)
}

// 2. Levels are for JSON logs only (Lambda API, LoggingConfig).
for (const [id, { Properties: p }] of ofType('AWS::Lambda::Function')) {
  const l = p.LoggingConfig ?? {}
  if (l.LogFormat !== 'JSON' && (l.ApplicationLogLevel || l.SystemLogLevel)) {
    findings.push(`${id}: a log level needs "logFormat: JSON" beside it, under provider.logs.lambda of serverless.yml`)
  }
}

// 3. Schedules, by https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html.
const cron = [/^[\d*\/,-]+$/, /^[\d*\/,-]+$/, /^[\d*\/,?LW-]+$/, /^[\dA-Z*\/,-]+$/i, /^[\dA-Z*\/,?L#-]+$/i, /^[\d*\/,-]+$/]
const limits = [[0, 59], [0, 23], [1, 31], [1, 12], [1, 7], [1970, 2199]]
function wrongSchedule(expression) {
  if (/^rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)$/.test(expression)) return ''
  const fields = /^cron\((.*)\)$/.exec(expression)?.[1].split(' ')
  if (fields?.length !== 6) return 'it must be like rate(10 minutes), or cron(...) with six fields'
  if ((fields[2] === '?') === (fields[4] === '?')) return 'one of its day of month and day of week must be "?", and one must not'
  const i = fields.findIndex((f, i) => {
    const numbers = f.split(/[,#-]/).map((part) => parseInt(part)).filter((n) => !isNaN(n))
    return !cron[i].test(f) || numbers.some((n) => n < limits[i][0] || n > limits[i][1])
  })
  return i < 0 ? '' : `its field "${fields[i]}" is out of range`
}
for (const [id, { Properties: p }] of ofType('AWS::Events::Rule')) {
  const why = wrongSchedule(p.ScheduleExpression)
  if (why) findings.push(`${id}: AWS would refuse the schedule "${p.ScheduleExpression}": ${why}; set the parameter rate of the stage in serverless.yml`)
}

// 4. Alarms that go nowhere should be meant.
for (const [, { Properties: p }] of ofType('AWS::SNS::Subscription')) {
  if (p.Endpoint !== 'none' && !/^[^@\s]+@[^@\s]+$/.test(p.Endpoint)) {
    findings.push(`alarmEmail is "${p.Endpoint}": set this parameter in serverless.yml to an address, or to none`)
  }
}

// 5. A function must be allowed to read every parameter that it is told of.
for (const [id, { Properties: p }] of ofType('AWS::Lambda::Function')) {
  const roleID = p.Role?.['Fn::GetAtt']?.[0]
  const patterns = (resources[roleID]?.Properties.Policies ?? [])
    .flatMap((policy) => policy.PolicyDocument.Statement)
    .filter((s) => s.Action === 'ssm:GetParameters')
    .flatMap((s) => s.Resource)
    .map((arn) => arn['Fn::Sub'].split(':parameter')[1])
  const mayRead = (name) => patterns.some((pattern) => pattern.endsWith('/*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern)
  for (const [variable, value] of Object.entries(p.Environment?.Variables ?? {})) {
    const name = /^ssm:(\/[^:#]+)/.exec(value)?.[1]
    if (name && !mayRead(name)) findings.push(`${id}: ${variable} refers to ${name}, which ${roleID} may not read; correct the name in serverless.yml, or the role`)
  }
}

// 6. What AWS's own rules and schemas say. It takes ten seconds, so it is last.
if (findings.length === 0) {
  const { CelEngine, TemplateFile } = await import('@aws/cloudformation-validate')
  const report = new CelEngine().validateStandard(new TemplateFile(path), {
    severityLevel: 'WARN',
    exclude: { ids: Object.keys(excluded) },
  })
  for (const d of report.diagnostics) {
    findings.push(`${d.entity?.logicalId ?? 'template'}: ${d.propertyPath ?? ''}: ${d.message} (${d.ruleId})`)
  }
}

for (const finding of findings) console.log(finding)
process.exitCode = findings.length > 0 ? 1 : 0
