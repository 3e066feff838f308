/**
 * The OpenAPI document (`/docs/json`, `/docs/yaml`) and the page that shows it (`/docs`), from the
 * schemas the routes are registered with, so it lists what there is and nothing else.
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { Type } from '@sinclair/typebox';
import type { FastifyError, FastifyInstance } from 'fastify';
import { Problem } from '#src/api/problem';
import { SECURITY_HEADERS } from '#src/api/protection';

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

/** The page; its own files, nothing from elsewhere. */
export async function serveDocuments(app: FastifyInstance): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.schema = { ...route.schema, hide: true };
      route.config = { ...route.config, access: 'public' };
    });
    // A path that leaves the folder, or is no path at all, is no file there.
    scope.setErrorHandler((error: FastifyError) => {
      throw (error.statusCode ?? 500) < 500 ? new Problem(404, 'There is no such file.') : error;
    });
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { deepLinking: false, validatorUrl: null, tryItOutEnabled: true },
      // The little arrows in its style sheet are data: images.
      staticCSP: `${SECURITY_HEADERS['content-security-policy']}; img-src 'self' data:`,
    });
  });
}
