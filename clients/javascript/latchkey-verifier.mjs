/** Verifies Latchkey's tokens locally, and rejects revoked ones by following its feed. */

import { hkdfSync } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

const FEED = 'latchkey-revocations'; // its `aud`, and with "+jwt" its `typ`
const MAX_BYTES = 3500; // of a token; Latchkey issues no larger one
const WORD = '[A-Za-z0-9_-]';
const SEGMENT = `(?:${WORD}{4})*(?:${WORD}{4}|${WORD}[AQgw]|${WORD}{2}[AEIMQUYcgkosw048])`;
const COMPACT = new RegExp(`^${SEGMENT}\\.${SEGMENT}\\.${SEGMENT}$`); // each token has one spelling
const OPAQUE = new RegExp(`^${WORD}{8,64}$`);
const now = () => Date.now() / 1000;
const ticks = () => performance.now() / 1000;
/** The key of the feed for HS256. It differs from the key of sessions. */
const feedKey = (secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'latchkey feed', 32));
const refuse = (code) => { throw new Refused(code); };

/** Whether claims are as Latchkey writes them. Revocations do not cover others. */
const areClaims = ({ id, sub, ver, iat, exp, nbf = 0, auth_time: began = iat, ...claims }) => {
  const isText = (each) => typeof each === 'string';
  const { sid, jti, username, roles, amr } = claims;
  return [id, ver, iat, exp, nbf, began].every((each) => Number.isInteger(each) && each >= 0)
    && id > 0 && sub === String(id) && ver > 0 && ver < 2 ** 62 && began <= iat + 11
    && [sid, jti].every((each) => isText(each) && OPAQUE.test(each)) && isText(username)
    && Array.isArray(roles) && roles.every((role) => isText(role?.role))
    && Array.isArray(amr) && amr.length > 0 && amr.every(isText);
};

/** The token is invalid: answer 401. `code` is the error code, such as `token_revoked`. */
export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** The feed has not been updated for too long: answer 503. */
export class FeedStale extends Error {}

/** Verifies the tokens of one issuer. */
export class Verifier {
  /** The error of the last poll. Set `stopped` to end polling. */
  fault;
  stopped = false;
  verified = new Map();
  rows = new Map(); // by kind and ID: [`ver` limit, `until`]
  #options; #isShared; #keys; #feedKeys; #keysFetched = 0; #keysLast = 0;
  #since = 0; #etag; #fresh = 0;
  #unfinished; // a read whose last request failed
  #covered = { maxLife: 0, notBefore: 0, prunedUntil: 0 };

  /** `issuer` is required. README.md describes all options. */
  constructor(options) {
    const defaults = { secrets: [], url: options.issuer, maxStaleness: 60, remembered: 4096 };
    this.#options = { ...defaults, acceptBypass: false, refetchSeconds: 60, ...options };
    this.#keys = this.#options.secrets.map((secret) => new TextEncoder().encode(secret));
    this.#feedKeys = this.#keys.map(feedKey);
    this.#isShared = this.#keys.length > 0;
    const isShort = this.#keys.some((secret) => secret.length < 32);
    if (isShort) throw new RangeError('a secret has at least 32 bytes');
  }

  /** Fetch keys and feed, then poll twice a second in the background until `stopped`. */
  async start() {
    try {
      if (!this.#isShared && ticks() - this.#keysFetched >= this.#keysLast) await this.#fetchKeys();
      await this.#readFeed();
    } catch (error) {
      this.fault = error; // the state becomes stale
    }
    if (!this.stopped) setTimeout(() => this.start(), 500).unref?.();
    return this;
  }

  /**
   * A token's claims. If `stale_roles`, roles or name have changed: call `/auth/me` for them. Then
   * `roles` is empty and `username` is undefined: another user may have the old name.
   */
  async verify(token) {
    const verified = this.verified; // read before the keys: new keys replace it
    const claims = verified.get(token) ?? await this.#check(token);
    verified.set(token, claims);
    if (verified.size > this.#options.remembered) verified.delete(verified.keys().next().value);
    const { maxLife, notBefore, prunedUntil } = this.#covered;
    if (claims.exp <= Math.max(now(), prunedUntil)) refuse('token_expired');
    const isFresh = Math.abs(now() - this.#fresh) <= this.#options.maxStaleness;
    const isLong = claims.exp - claims.iat > maxLife;
    const isNew = claims.iat > this.#fresh - 5; // its lifetime may be newer than the feed
    if (!isFresh || (isLong && isNew)) {
      throw new FeedStale('the feed cannot be read, or is too old', { cause: this.fault });
    }
    if (isLong) refuse('token_invalid');
    if ((claims.auth_time ?? claims.iat) < notBefore) refuse('token_revoked');
    const isBelow = (kind, who) => claims.ver < this.rows.get(`${kind} ${who}`)?.[0];
    if (isBelow('session', claims.sid) || isBelow('revoked', claims.id)) refuse('token_revoked');
    const stale = isBelow('changed', claims.id);
    if (stale) return { ...claims, username: undefined, roles: [], stale_roles: true };
    return { ...claims, roles: [...claims.roles], stale_roles: false };
  }

  async #check(token) {
    const isText = typeof token === 'string' && token.length <= MAX_BYTES;
    if (!isText || !COMPACT.test(token)) refuse('token_invalid');
    const required = ['exp', 'iat', 'sub', 'sid', 'ver'];
    const claims = await this.#open(this.#keys, token, 'JWT', required).catch((error) => {
      if (error instanceof Refused) throw error;
      const codes = { exp: 'token_expired', iss: 'issuer_invalid' }; // by the invalid claim
      refuse(error.reason === 'check_failed' && codes[error.claim] || 'token_invalid');
    });
    if (claims.aud !== this.#options.audience) refuse('audience_invalid');
    if (!areClaims(claims) || claims.iat > now() + 5) refuse('token_invalid');
    if (claims.amr.includes('bypass') && !this.#options.acceptBypass) refuse('token_invalid');
    return claims;
  }

  /** Return the claims of a JWT of this type, signed by a key of the issuer. */
  async #open(keys, token, typ, requiredClaims) {
    const header = decodeProtectedHeader(token);
    const algorithms = this.#isShared ? ['HS256'] : ['EdDSA', 'ES256', 'RS256'];
    if (!algorithms.includes(header.alg)) refuse('algorithm_invalid');
    const members = Object.keys(header).sort().join();
    if (members !== (this.#isShared ? 'alg,typ' : 'alg,kid,typ')) refuse('token_invalid');
    if (header.typ !== typ) refuse('token_invalid');
    const options = { algorithms, issuer: this.#options.issuer, requiredClaims };
    for (const key of keys) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!/SIGNATURE|NO_MATCHING/.test(error.code)) throw error;
      }
    }
    this.#keysLast = Math.min(this.#keysLast, typ === 'JWT' ? this.#options.refetchSeconds : 0);
    return refuse('token_invalid'); // or a new key: fetch it, for the feed at once
  }

  async #fetchKeys() {
    const read = async (path) => createLocalJWKSet(JSON.parse((await this.#get(path)).body));
    [this.#keys, this.verified] = [[await read('/.well-known/jwks.json')], new Map()];
    this.#feedKeys = [await read('/.well-known/feed-jwks.json')];
    [this.#keysFetched, this.#keysLast] = [ticks(), 600];
  }

  async #readFeed() {
    const began = now();
    // `over`: a row that ends until then is forgotten: by Latchkey's clock, ours may be fast
    const known = [this.rows, this.#since, this.#etag, this.#covered, 0];
    let [rows, since, etag, covered, over] = this.#unfinished ?? known;
    let [age, more, body] = [0, true];
    while (more) {
      this.#unfinished = [rows, since, etag, covered, over];
      ({ etag, body } = await this.#get(`/auth/revocations?since=${since}`, etag));
      this.#unfinished = undefined;
      if (!body) break;
      const said = await this.#open(this.#feedKeys, body, `${FEED}+jwt`, ['exp', 'iat', 'aud']);
      if (said.aud !== FEED) throw new Error('not a document of the feed');
      const isAnswer = [0, since].includes(said.since) && said.next >= said.since + said.more;
      if (!isAnswer) throw new Error('the answer to another question');
      if (!(Math.abs(now() - said.iat) <= 60)) throw new Error('an old document');
      if (since && (said.not_before ?? 0) > covered.notBefore) {
        [rows, since, etag] = [new Map(), 0, '']; // a restore: old numbers, new rows
        continue;
      }
      if (said.since !== since) rows = new Map(); // the database was replaced
      else if (rows === this.rows) rows = new Map(rows); // apply only complete reads
      for (const [, kind, who, ...rest] of said.changes) {
        if (!['session', 'revoked', 'changed'].includes(kind)) throw new Error(`unknown: ${kind}`);
        const [version, until] = kind === 'session' ? [Infinity, ...rest] : rest;
        const key = `${kind} ${who}`;
        if (!(rows.get(key)?.[0] > version)) rows.set(key, [version, until]);
      }
      ({ next: since, more, age } = said);
      const { max_life: maxLife, not_before: notBefore = 0, pruned_until: prunedUntil = 0 } = said;
      const isWhole = [maxLife, notBefore, prunedUntil].every(Number.isInteger);
      if (!isWhole) throw new Error('the document has no max_life, or a moment that is no number');
      over = said.pruned_until ?? began;
      covered = {
        maxLife,
        notBefore: Math.max(notBefore, covered.notBefore), // none is taken back
        prunedUntil: Math.max(prunedUntil, covered.prunedUntil),
      };
    }
    // Without an await in between, so that a verification sees one complete state.
    if (rows !== this.rows) this.rows = new Map([...rows].filter(([, [, until]]) => until > over));
    [this.#since, this.#etag, this.#fresh, this.#covered] = [since, etag, began - age, covered];
  }

  async #get(path, etag) {
    const headers = etag ? { 'If-None-Match': etag } : {};
    const options = { headers, redirect: 'error', signal: AbortSignal.timeout(2000) };
    const answer = await fetch(new URL(path, this.#options.url), options);
    const body = await answer.text();
    if (answer.status !== (body ? 200 : 304) || !(body || etag)) {
      throw new Error(`${path} is answered with ${answer.status}`);
    }
    return { etag: answer.headers.get('etag'), body };
  }
}
