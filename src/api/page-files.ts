/** The page's files. The chart library comes out of its package, from this origin. */
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileAt, type StaticFile } from '#src/api/static-files';
import { PACKAGE_ROOT } from '#src/config/package-root';

/** The library with what it depends on in one file. */
function chartLibrary(): string {
  const entry = import.meta.resolve('lightweight-charts');
  return fileURLToPath(new URL('./lightweight-charts.standalone.production.mjs', entry));
}

/** Reads every file of the page at once: all of them are of one build. */
export function pageFiles(): readonly StaticFile[] {
  const named = (folder: string, endings: readonly string[]): readonly StaticFile[] =>
    readdirSync(join(PACKAGE_ROOT, folder))
      .filter((name) => endings.includes(extname(name)))
      .map((name) => {
        const path = name === 'index.html' ? '/' : `/page/${name}`;
        return fileAt(path, join(PACKAGE_ROOT, folder, name));
      });
  const files = [
    ...named('src/page', ['.html', '.css', '.svg']),
    ...named('dist/page', ['.js']),
    fileAt('/page/lightweight-charts.js', chartLibrary()),
  ];
  for (const { bytes } of files) bytes();
  return files;
}
