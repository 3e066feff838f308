/**
 * Who may ask: the Host allow-list, the Origin check, and tokens with roles. The same three questions
 * for every request, upgrades to WebSocket included, before anything else is looked at.
 *
 * Without a token in the configuration the API is on this machine only and whoever is on it may do
 * everything. That leaves web pages in this machine's browser: no CORS header is sent that was not
 * configured, a foreign Origin is refused, and a foreign name that resolves here is no Host of ours.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from '#src/api/problem';
import type { Role, TokenDigest } from '#src/config/tokens';

/** `public` needs no token: the page's own files and the question whether the process lives. */
export type Need = 'public' | Role;

export interface AccessRules {
  readonly tokens: readonly TokenDigest[];
  /** Names of this server besides localhost, 127.0.0.1 and [::1]; without ports. */
  readonly hosts: readonly string[];
  /** Foreign origins whose pages may read the answers. */
  readonly origins: readonly string[];
}

export const THIS_MACHINE_ONLY: AccessRules = { tokens: [], hosts: [], origins: [] };

/** Browsers cannot set headers on a WebSocket: there the token is this and itself, as a subprotocol. */
export const BEARER_PROTOCOL = 'bullion.bearer.';

const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const HOST = /^([^:[\]]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i;
const FOREIGN_PAGE = new Problem(
  403,
  'Pages of other origins may not use this API (http.origins).',
);
const NO_TOKEN = new Problem(401, 'A valid token is needed: Authorization: Bearer TOKEN.', {
  'www-authenticate': 'Bearer realm="bullion"',
});
const NO_ADMIN = new Problem(403, 'This needs a token with the role admin.');
const BEARER = /^Bearer +([A-Za-z0-9._~-]{1,256})$/i;

export class Access {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #tokens: readonly { readonly role: Role; readonly digest: Buffer }[];
  readonly #wrongHost: Problem;

  constructor({ tokens, hosts, origins }: AccessRules) {
    const names = [...LOCAL_NAMES, ...hosts.map((name) => name.toLowerCase())];
    this.#hosts = new Set(names);
    const named = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
    this.#wrongHost = new Problem(421, `The Host header must be ${named}.`);
    this.#origins = new Set(origins);
    this.#tokens = tokens.map(({ role, sha256 }) => ({ role, digest: Buffer.from(sha256, 'hex') }));
  }

  /** Why a request that needs `need` is refused; undefined when it is not. */
  refusal(headers: IncomingHttpHeaders, need: Need): Problem | undefined {
    return this.senderRefusal(headers) ?? this.roleRefusal(headers, need);
  }

  /** ... for its Host or its Origin, whatever it asks for. */
  senderRefusal({ host, origin }: IncomingHttpHeaders): Problem | undefined {
    const name = host === undefined ? undefined : HOST.exec(host)?.[1]?.toLowerCase();
    if (name === undefined || !this.#hosts.has(name)) return this.#wrongHost;
    if (origin === undefined || isOwnOrigin(origin, host) || this.#origins.has(origin)) {
      return undefined;
    }
    return FOREIGN_PAGE;
  }

  /** ... for want of a token. */
  roleRefusal(headers: IncomingHttpHeaders, need: Need): Problem | undefined {
    if (need === 'public' || this.#tokens.length === 0) return undefined;
    const role = this.#roleOf(headers);
    if (role === undefined) return NO_TOKEN;
    return need === 'admin' && role !== 'admin' ? NO_ADMIN : undefined;
  }

  /** The request's Origin where it is a foreign one that may read answers. */
  foreignOrigin({ origin }: IncomingHttpHeaders): string | undefined {
    return origin !== undefined && this.#origins.has(origin) ? origin : undefined;
  }

  #roleOf(headers: IncomingHttpHeaders): Role | undefined {
    const token = tokenOf(headers);
    if (token === undefined) return undefined;
    const digest = createHash('sha256').update(token).digest();
    let found: Role | undefined;
    // All of them, each in constant time: how long it takes says nothing about any.
    for (const { role, digest: known } of this.#tokens) {
      if (timingSafeEqual(digest, known) && found !== 'admin') found = role;
    }
    return found;
  }
}

/** `http://localhost:8080` and Host `localhost:8080`; behind a proxy with TLS also `https://`. */
function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization, 'sec-websocket-protocol': protocols } = headers;
  if (authorization !== undefined) return BEARER.exec(authorization)?.[1];
  const named = protocols?.split(',').map((name) => name.trim());
  const bearer = named?.find((name) => name.startsWith(BEARER_PROTOCOL));
  return bearer?.slice(BEARER_PROTOCOL.length);
}
