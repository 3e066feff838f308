/**
 * The API's tokens: from the environment or from a file that nobody else can read, never from YAML.
 * What leaves this file is a SHA-256 per token, so no log, crash report or thread ever holds one.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { EXIT, errorCode, UserError } from '#src/base/errors';

/** `admin` may do all that `read` may, and see dead letters with their raw bytes. */
export type Role = 'read' | 'admin';

export interface TokenDigest {
  readonly role: Role;
  /** Lower-case hex. */
  readonly sha256: string;
}

export const TOKEN_VARIABLES: Readonly<Record<Role, string>> = {
  read: 'BULLION_HTTP_READ_TOKEN',
  admin: 'BULLION_HTTP_ADMIN_TOKEN',
};

/** 24 characters of 64 are 144 bits; a WebSocket can carry no others (it names a subprotocol). */
const TOKEN = /^[A-Za-z0-9._~-]{24,256}$/;
const ALLOWED = '24 to 256 of the characters A-Z a-z 0-9 . _ ~ -';

export interface TokenSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory that a relative path starts from. */
  readonly cwd: string;
  /** http.token_file; empty for none. */
  readonly file: string;
}

/** Every token there is; throws a UserError that never repeats one. */
export function loadTokens({ env, cwd, file }: TokenSources): TokenDigest[] {
  const tokens = (['read', 'admin'] as const).flatMap((role) => {
    const variable = TOKEN_VARIABLES[role];
    const token = env[variable];
    return token === undefined ? [] : [digestOf(role, token, variable)];
  });
  return file === '' ? tokens : [...tokens, ...fileTokens(resolve(cwd, file), file)];
}

/** Refuses to be reachable from other machines without a token. */
export function requireToken(allowRemote: boolean, tokens: readonly TokenDigest[]): void {
  if (!allowRemote || tokens.length > 0) return;
  throw new UserError(
    EXIT.config,
    `http.allow_remote is true and there is no token: set ${TOKEN_VARIABLES.read} or ${TOKEN_VARIABLES.admin}, or name a file in http.token_file`,
  );
}

function digestOf(role: Role, token: string, where: string): TokenDigest {
  if (!TOKEN.test(token)) {
    throw new UserError(EXIT.config, `${where} must hold a token of ${ALLOWED}`);
  }
  return { role, sha256: createHash('sha256').update(token).digest('hex') };
}

function fileTokens(path: string, name: string): TokenDigest[] {
  const where = `http.token_file: ${name}`;
  let text: string;
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) {
      throw new UserError(EXIT.config, `${where} can be read by others: chmod 600 it`);
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(EXIT.config, `${where} cannot be read (${errorCode(error)})`);
  }
  const tokens = text.split('\n').flatMap((line, i) => {
    const words = line.trim();
    if (words === '' || words.startsWith('#')) return [];
    const [role = '', token = '', ...more] = words.split(/\s+/);
    if ((role !== 'read' && role !== 'admin') || more.length > 0) {
      const form = '`read TOKEN` or `admin TOKEN`';
      throw new UserError(EXIT.config, `${where}:${i + 1} must be ${form}`);
    }
    return [digestOf(role, token, `${where}:${i + 1}`)];
  });
  if (tokens.length === 0) throw new UserError(EXIT.config, `${where} holds no token`);
  return tokens;
}
