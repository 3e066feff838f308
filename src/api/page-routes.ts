/**
 * The page people look at: `GET /` and its files under `/page/`. What it shows it asks the API for,
 * with the token where one is needed.
 */
import type { FastifyInstance } from 'fastify';
import { pageFiles } from '#src/api/page-files';
import { type StaticFile, serveFiles } from '#src/api/static-files';

export function registerPage(
  app: FastifyInstance,
  files: readonly StaticFile[] = pageFiles(),
): void {
  serveFiles(app, files);
}
