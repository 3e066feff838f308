/**
 * The OpenAPI document (`/docs/json`, `/docs/yaml`), from the schemas the routes are registered with,
 * so it lists what there is and nothing else. The page that shows it is src/api/document-page.ts.
 */
import swagger from '@fastify/swagger';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { registerDocumentPage } from '#src/api/document-page';

const PROBLEM = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'One sentence: what is wrong and what is allowed.' }),
  },
  { $id: 'Problem', title: 'Problem', description: 'RFC 9457.' },
);

/** Has to be called before the routes are added. */
export async function documentRoutes(app: FastifyInstance): Promise<void> {
  app.addSchema(PROBLEM);
  await app.register(swagger, {
    openapi: {
      openapi: '3.0.3',
      info: {
        title: 'Bullion',
        version: '1',
        description:
          'Exact trades and candles. Decimals are text. Every error is a problem document (RFC 9457) with one sentence.',
        license: { name: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'This server.' }],
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'Where the server has tokens; role read or admin.',
          },
        },
      },
      security: [{ token: [] }, {}],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`),
    },
  });
}

/** Has to be called after them. */
export function serveDocuments(app: FastifyInstance): void {
  const options = { schema: { hide: true }, config: { access: 'public' } } as const;
  app.get('/docs/json', options, (_request, reply) => void reply.send(app.swagger()));
  app.get('/docs/yaml', options, (_request, reply) => {
    void reply.type('application/x-yaml').send(app.swagger({ yaml: true }));
  });
  registerDocumentPage(app);
}
