/**
 * Data files of a lake directory, by their relative path.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReadFile } from '#src/lake/table-reader';

export function fileReader(lakeDir: string): ReadFile {
  return (path) => readFileSync(join(lakeDir, path));
}
