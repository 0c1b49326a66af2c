// A Lambda function that reads its two parameters with Powertools for TypeScript.
// With decrypt set for all of them it is one GetParameters call, and the values
// are kept for Powertools' 5 seconds
// (https://docs.aws.amazon.com/powertools/typescript/latest/features/parameters/).
import { createHash } from 'node:crypto';
import { getParametersByName } from '@aws-lambda-powertools/parameters/ssm';

const shared = process.env.BENCH_SHARED!;
const own = process.env.BENCH_OWN!;

export const handler = async () => {
  const read = await getParametersByName<Record<string, string>>(
    { [shared]: {}, [own]: {} },
    { decrypt: true, transform: 'json' },
  );
  const values = [
    read[shared].consumer_key,
    read[shared].consumer_secret,
    read[own].access_token,
    read[own].access_secret,
  ];
  if (!values.every(Boolean)) throw new Error('a parameter lacks a field');
  return { values: values.length, sum: createHash('sha256').update(values.join('\n')).digest('hex') };
};
