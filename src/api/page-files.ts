/**
 * The page's files, in memory: what is on this list is served and nothing else, so no path a client
 * sends ever reaches the disk. The chart library comes out of its package, from this origin.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '#src/config/package-root';

export interface PageFile {
  /** The URL's path. */
  readonly path: string;
  readonly type: string;
  readonly bytes: Buffer;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.js': 'text/javascript; charset=utf-8',
};

/** The library with what it depends on in one file. */
function chartLibrary(): Buffer {
  const entry = import.meta.resolve('lightweight-charts');
  const whole = new URL('./lightweight-charts.standalone.production.mjs', entry);
  return readFileSync(fileURLToPath(whole));
}

/** Reads every file of the page once. */
export function pageFiles(): readonly PageFile[] {
  const file = (folder: string, name: string): PageFile => ({
    path: name === 'index.html' ? '/' : `/page/${name}`,
    type: TYPES[extname(name)] as string,
    bytes: readFileSync(join(PACKAGE_ROOT, folder, name)),
  });
  const named = (folder: string, endings: readonly string[]): readonly PageFile[] =>
    readdirSync(join(PACKAGE_ROOT, folder))
      .filter((name) => endings.includes(extname(name)))
      .map((name) => file(folder, name));
  return [
    ...named('src/page', ['.html', '.css', '.svg']),
    ...named('dist/page', ['.js']),
    {
      path: '/page/lightweight-charts.js',
      type: TYPES['.js'] as string,
      bytes: chartLibrary(),
    },
  ];
}
