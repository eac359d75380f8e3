/** Verifies Latchkey's tokens without asking it each time, and refuses those taken back. */

import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';

const FEED = 'latchkey-revocations+jwt';
const [POLL_MS, TIMEOUT_MS, KEYS_LAST, SKEW] = [500, 2000, 600, 60];
const ALGORITHMS = { OKP: 'EdDSA', EC: 'ES256', RSA: 'RS256' };
const isText = (value) => typeof value === 'string';
const SHAPE = {
  ...{ id: Number.isInteger, ver: Number.isInteger, exp: Number.isInteger, iat: Number.isInteger },
  ...{ username: isText, sid: isText, roles: Array.isArray, amr: Array.isArray },
};
const wall = () => Date.now() / 1000;
const ticks = () => performance.now() / 1000;

/** The token is not good: a 401. `code` is Latchkey's word for why, as `token_revoked`. */
export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** For too long nobody has said what was taken back: a 503. */
export class FeedStale extends Error {}

/** Verifies the tokens of one issuer. */
export class Verifier {
  #options;
  #secrets;
  #keys = new Map(); // by algorithm and kid
  #keySet;
  #fetched = {};
  #fetching;
  #verified = new Map();
  #rows = new Map(); // by sid, or by kind and user: [below which `ver`, until when]
  #next = 0;
  #etag;
  #signed = -Infinity;
  #fresh = [-Infinity, -Infinity]; // on the wall's clock, and on the stopwatch
  #timer;
  #stopped = false;
  /** Why the last poll failed. */
  fault;

  /**
   * @param {object} options
   * @param {string} options.issuer
   * @param {string[]} [options.secrets] of HS256; without: the published keys
   * @param {string} [options.audience]
   * @param {string} [options.url] where Latchkey is reached, if not at the issuer's address
   * @param {number} [options.maxStaleness] seconds without a good answer of the feed till FeedStale
   * @param {boolean} [options.acceptBypass] tokens of the development sign-in
   * @param {number} [options.remembered] verified tokens
   * @param {number} [options.refetchSeconds] an unknown key is looked for once in that time
   */
  constructor({ issuer, secrets = [], audience, url = issuer, maxStaleness = 60,
    acceptBypass = false, remembered = 4096, refetchSeconds = 60 }) {
    const limits = { maxStaleness, remembered, refetchSeconds };
    this.#options = { issuer, audience, url, acceptBypass, ...limits };
    this.#secrets = secrets.map((secret) => new TextEncoder().encode(secret));
    if (this.#secrets.some((secret) => secret.length < 32)) {
      throw new RangeError('a secret has at least 32 bytes');
    }
  }

  /** How old our knowledge of the feed is, in seconds, sleep of the machine included. */
  get age() {
    return Math.max(wall() - this.#fresh[0], ticks() - this.#fresh[1]);
  }

  /** How many verified tokens and rows of the feed are in memory. */
  get sizes() {
    return { tokens: this.#verified.size, rows: this.#rows.size };
  }

  /** Ask for keys and feed once, then go on in the background. */
  async start() {
    await this.#poll();
    return this;
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * The claims of a good token, and `stale_roles`: name or roles have changed since. `roles` is
   * empty then: whoever forgets to look denies. The fresh ones are at `/auth/me`.
   * @param {string} token
   * @returns {Promise<object>} rejected with Refused or FeedStale
   */
  async verify(token) {
    const verified = this.#verified; // before the keys are looked at: new keys come with a new one
    let claims = verified.get(token);
    if (!claims) {
      claims = await this.#check(token);
      verified.set(token, claims);
      if (verified.size > this.#options.remembered) verified.delete(verified.keys().next().value);
    }
    if (claims.exp <= wall()) throw new Refused('token_expired');
    if (!(this.age <= this.#options.maxStaleness)) {
      throw new FeedStale(`the feed was last known ${this.age} s ago`, { cause: this.fault });
    }
    const isBelow = (key) => claims.ver < (this.#rows.get(key)?.[0] ?? 0);
    if (isBelow(claims.sid) || isBelow(`revoked ${claims.id}`)) throw new Refused('token_revoked');
    const stale = isBelow(`changed ${claims.id}`);
    return { ...claims, roles: stale ? [] : [...claims.roles], stale_roles: stale };
  }

  async #check(token) {
    if (!isText(token) || token.length > 3500) throw new Refused('token_invalid');
    const claims = await this.#open(token, 'JWT');
    if (!Object.entries(SHAPE).every(([name, isGood]) => isGood(claims[name]))) {
      throw new Refused('token_invalid');
    }
    if (claims.aud !== this.#options.audience) throw new Refused('audience_invalid');
    if (Math.max(claims.iat, claims.nbf ?? 0) > wall() + 5) throw new Refused('token_invalid');
    if (claims.amr.includes('bypass') && !this.#options.acceptBypass) {
      throw new Refused('token_invalid');
    }
    return claims;
  }

  /** What a JWT of that type says, if a key of the issuer has signed it. */
  async #open(token, typ) {
    try {
      const header = decodeProtectedHeader(token);
      const isSecret = this.#secrets.length > 0;
      if (!(isSecret ? ['HS256'] : Object.values(ALGORITHMS)).includes(header.alg)) {
        throw new Refused('algorithm_invalid');
      }
      const members = Object.keys(header).sort().join();
      if (members !== (isSecret ? 'alg,typ' : 'alg,kid,typ') || header.typ !== typ) {
        throw new Refused('token_invalid');
      }
      for (const key of isSecret ? this.#secrets : await this.#named(header, typ)) {
        const pinned = { algorithms: [header.alg] };
        const good = await compactVerify(token, key, pinned).catch(() => null);
        const claims = good && JSON.parse(new TextDecoder().decode(good.payload));
        if (claims && claims.iss !== this.#options.issuer) throw new Refused('issuer_invalid');
        if (claims) return claims;
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    throw new Refused('token_invalid');
  }

  async #named({ alg, kid }, asker) {
    const name = `${alg} ${kid}`;
    if (!this.#keys.has(name)) await this.#fetchKeys(asker, this.#options.refetchSeconds);
    return this.#keys.has(name) ? [this.#keys.get(name)] : [];
  }

  /** Fetch the key set, once in so many seconds for each asker: a stranger's is his own. */
  async #fetchKeys(asker, seconds) {
    if (ticks() - (this.#fetched[asker] ?? -Infinity) >= seconds) {
      this.#fetched[asker] = ticks();
      this.#fetching ??= this.#readKeys().finally(() => { this.#fetching = undefined; });
    }
    await this.#fetching;
  }

  async #readKeys() {
    const { body } = await this.#get('/.well-known/jwks.json');
    if (body === this.#keySet) return;
    const keys = new Map();
    for (const jwk of JSON.parse(body).keys) {
      const alg = ALGORITHMS[jwk.kty];
      const key = alg === (jwk.alg ?? alg) && await importJWK(jwk, alg).catch(() => null);
      if (alg && key) keys.set(`${alg} ${jwk.kid}`, key);
    }
    [this.#keys, this.#verified, this.#keySet] = [keys, new Map(), body];
  }

  async #get(path, headers = {}) {
    const options = { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) };
    const answer = await fetch(new URL(path, this.#options.url), options);
    const { status } = answer;
    if (status !== 200 && status !== 304) throw new Error(`${path} is answered with ${status}`);
    return { status, etag: answer.headers.get('etag'), body: await answer.text() };
  }

  async #poll() {
    try {
      if (!this.#secrets.length) await this.#fetchKeys('clock', this.#keys.size ? KEYS_LAST : 0);
      await this.#read();
      this.fault = undefined;
    } catch (error) {
      this.fault = error; // whatever it is, what we know grows old
    }
    if (!this.#stopped) this.#timer = setTimeout(() => this.#poll(), POLL_MS).unref?.();
  }

  async #read() {
    const began = [wall(), ticks()];
    let [rows, since, age, more] = [this.#rows, this.#next, 0, true];
    while (more) {
      // A 304 is not signed: it counts for half the limit, then a document has to come.
      const isRecent = began[1] - this.#signed < this.#options.maxStaleness / 2;
      const headers = isRecent && this.#etag ? { 'If-None-Match': this.#etag } : {};
      const { status, etag, body } = await this.#get(`/auth/revocations?since=${since}`, headers);
      if (status === 304 && headers['If-None-Match']) break;
      const said = await this.#open(body, FEED);
      if (![0, since].includes(said.since) || said.next < said.since + Number(said.more)) {
        throw new Error('the feed goes back');
      }
      if (!(Math.abs(wall() - said.iat) <= SKEW)) {
        throw new Error('the feed is an old one, or a clock is wrong');
      }
      if (said.since !== since) rows = new Map(); // another database: void, once all is here
      said.changes.forEach((row) => learn(rows, row));
      [since, more, age] = [said.next, said.more, said.age];
      [this.#etag, this.#signed] = [etag, began[1]];
    }
    if (this.#signed === began[1]) {
      this.#next = since;
      this.#rows = new Map([...rows].filter(([, [, until]]) => until > began[0]));
    }
    this.#fresh = began.map((time) => time - age);
  }
}

function learn(rows, [, kind, who, ...rest]) {
  const [version, until] = kind === 'session' ? [Infinity, ...rest] : rest;
  if (!['session', 'revoked', 'changed'].includes(kind) || !Number.isInteger(until)) {
    throw new Error(`the feed has a row of an unknown kind: ${kind}`);
  }
  const key = kind === 'session' ? who : `${kind} ${who}`;
  const [below, last] = rows.get(key) ?? [0, 0];
  rows.set(key, [Math.max(below, version), Math.max(last, until)]);
}
