/**
 * The page people look at: `GET /` and its files under `/page/`. Public, because it holds no data:
 * what it shows it asks the API for, with the token where one is needed.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type PageFile, pageFiles } from '#src/api/page-files';

/** Asked for again at every visit, sent again only when it has changed. */
const CACHE = 'no-cache';

export function registerPage(app: FastifyInstance, files: readonly PageFile[] = pageFiles()): void {
  for (const { path, type, bytes } of files) {
    const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    // Part of the page, not of the API: the documents do not list it.
    const schema = { hide: true };
    app.get(path, { schema, config: { access: 'public' } }, async (request, reply) => {
      void reply.headers({ 'cache-control': CACHE, etag: tag });
      if (request.headers['if-none-match'] === tag) return reply.code(304).send();
      return reply.type(type).send(bytes);
    });
  }
}
