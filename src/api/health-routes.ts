/**
 * `GET /health`: 200 when ready, 503 when not, with the facts either way. `GET /v1/status`: the same
 * facts for whoever looks at them, for whom a server that is not ready is an answer and no error.
 * `GET /health/live`: 200 as long as the process answers; needs no token, because whoever restarts the
 * process has none.
 */
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { HEALTH, health, type StatusSource } from '#src/api/health';

const LIVE = Type.Object({ live: Type.Literal(true) });

export function registerHealth(app: FastifyInstance, source: StatusSource): void {
  app.get(
    '/health',
    {
      schema: {
        summary: 'Whether it is fit to serve current data, and why not.',
        response: { 200: HEALTH, 503: HEALTH },
      },
    },
    async (_request, reply) => {
      const report = health(source.status());
      reply.code(report.ready ? 200 : 503);
      return report;
    },
  );
  app.get(
    '/v1/status',
    {
      schema: {
        summary: 'The facts of /health, with 200 whatever they are.',
        response: { 200: HEALTH },
      },
    },
    async () => health(source.status()),
  );
  app.get(
    '/health/live',
    {
      config: { access: 'public' },
      schema: { summary: 'Whether the process answers.', response: { 200: LIVE } },
    },
    async () => ({ live: true as const }),
  );
}
