/**
 * The server's REST side: fetches with the token where one is needed. Same origin only.
 */

const TOKEN_KEY = 'bullion.token';

/** The server wants a token, or another one. */
export class TokenNeeded extends Error {}

/** The server answered, but not what was asked for. */
export class Refused extends Error {}

/** The token's role may not see this. */
export class Forbidden extends Refused {}

export function token(): string | undefined {
  return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
}

/** Kept for this tab only. */
export function useToken(text: string): void {
  sessionStorage.setItem(TOKEN_KEY, text);
}

export async function getJson<T>(path: string): Promise<T> {
  const mine = token();
  const response = await fetch(path, {
    headers: mine === undefined ? {} : { authorization: `Bearer ${mine}` },
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status === 401) throw new TokenNeeded();
  if (response.status === 403) throw new Forbidden();
  if (!response.ok) {
    throw new Refused(`${path.split('?', 1)[0]}: ${await reasonOf(response)}`);
  }
  return (await response.json()) as T;
}

/** The sentence of a problem document, or the bare status where something else answered. */
async function reasonOf(response: Response): Promise<string> {
  const problem = (await response.json().catch(() => undefined)) as
    | { detail?: unknown }
    | undefined;
  const detail = problem?.detail;
  return typeof detail === 'string' ? detail.slice(0, 300) : `answered ${response.status}.`;
}
