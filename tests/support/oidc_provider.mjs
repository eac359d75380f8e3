// An OpenID provider that nobody here wrote (the package oidc-provider), over https on localhost.
// One line of JSON on standard input says what it serves; it answers `ready` when it does.
import https from 'node:https';
import fs from 'node:fs';
import readline from 'node:readline';
import Provider from 'oidc-provider';

const lines = readline.createInterface({ input: process.stdin });
const wanted = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
const ca = fs.readFileSync(wanted.ca);

// Tells our service of a sign-out: its name leads to a port of this machine, as in the browser.
function tell(address, { method, body, headers }) {
  const url = new URL(address);
  const options = {
    method, ca, host: '127.0.0.1', port: wanted.ourPort, path: url.pathname,
    servername: url.hostname, headers: { ...Object.fromEntries(new Headers(headers)), host: url.host },
  };
  return new Promise((resolve, reject) => {
    const request = https.request(options, (response) => {
      response.resume();
      response.on('end', () => resolve(new Response(null, { status: response.statusCode })));
    });
    request.on('error', reject);
    request.end(String(body ?? ''));
  });
}

const provider = new Provider(wanted.issuer, {
  clients: wanted.clients,
  cookies: { keys: ['of the tests'] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  fetch: tell,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, preferred_username: id.replace('subject-of-', ''), name: `The ${id}`,
      email: `${id}@example.org`, email_verified: true, groups: wanted.groups[id] ?? [],
    }),
  }),
});
provider.on('backchannel.error', (_, error) => console.error(error));
provider.on('server_error', (_, error) => console.error(error));

const server = https.createServer(
  { key: fs.readFileSync(wanted.key), cert: fs.readFileSync(wanted.certificate) },
  provider.callback(),
);
server.listen(wanted.port, '127.0.0.1', () => console.log('ready'));
