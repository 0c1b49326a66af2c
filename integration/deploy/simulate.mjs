// Answers, for each request on standard input (a JSON array of simulations of
// @cloud-copilot/iam-simulate), whether IAM would allow it, and which keys of
// its context the simulator did not look at: an array of {allowed, ignored}.

import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const answers = []
for (const simulation of JSON.parse(readFileSync(0, 'utf8'))) {
  const answer = await runSimulation(simulation, {})
  if (answer.errors) throw new Error(JSON.stringify({ errors: answer.errors, request: simulation.request }))
  answers.push({ allowed: answer.overallResult === 'Allowed', ignored: answer.result?.ignoredContextKeys ?? [] })
}
console.log(JSON.stringify(answers))
