/** A page of a browser that is watched: what it asks for, what it complains of, what it runs. */
import assert from 'node:assert/strict';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export interface WatchedPage {
  readonly page: Page;
  /** Addresses asked for that are not of the page's own origin. */
  readonly foreign: readonly string[];
  /** Errors and warnings of the console, exceptions nobody caught, and dialogs. */
  readonly complaints: string[];
  /** Opens the page and waits until it is live. */
  visit(url: string): Promise<void>;
}

/** Set by anything hostile that gets to run. */
export const RAN = '__hostile_code_ran';
/** Does that, whether it is taken for markup, for an attribute or for code. */
export const HOSTILE = `"><img src=x onerror="window.${RAN}=1"><script>window.${RAN}=1</script>`;

export async function watchedPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const foreign: string[] = [];
  const complaints: string[] = [];
  let origin = '';
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => void complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const seen = (url: string): void => {
    const { protocol, host } = new URL(url);
    if (`${protocol.replace('ws', 'http')}//${host}` !== origin) foreign.push(url);
  };
  page.on('request', (request) => seen(request.url()));
  page.on('websocket', (socket) => seen(socket.url()));
  return {
    page,
    foreign,
    complaints,
    async visit(url) {
      origin = new URL(url).origin;
      await page.goto(url);
      await page.locator('#connection[data-state=good]').waitFor();
    },
  };
}

export async function assertNothingHostileRan(page: Page): Promise<void> {
  assert.equal(await page.evaluate(`'${RAN}' in window`), false);
  // The page has one picture, its own.
  assert.equal(await page.locator('img').count(), 1);
  assert.equal(await page.locator('body script').count(), 0);
}
