/** Drives the JavaScript verifier for tests/support/verifiers.py: a command a line, an answer a line. */

import { createInterface } from 'node:readline';
import { FeedStale, Refused, Verifier } from './latchkey-verifier.mjs';

const verifiers = [];
const COMMANDS = {
  start: async ({ options }) => verifiers.push(await new Verifier(options).start()) - 1,
  verify: async ({ verifier, token }) => verifiers[verifier].verify(token),
  sizes: async ({ verifier }) => {
    const { verified, rows } = verifiers[verifier];
    return { tokens: verified.size, rows: rows.size };
  },
  stop: async ({ verifier }) => { verifiers[verifier].stopped = true; return null; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  const answer = await COMMANDS[command](rest).then(
    (value) => ({ value }),
    (error) => {
      if (error instanceof Refused) return { code: error.code };
      return { code: error instanceof FeedStale ? 'feed_stale' : `${error}` };
    },
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
