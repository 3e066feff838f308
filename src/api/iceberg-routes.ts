/**
 * The tables as an Iceberg REST catalog, read-only, under /iceberg:
 *
 *   GET        /iceberg/v1/config
 *   GET        /iceberg/v1/namespaces
 *   GET, HEAD  /iceberg/v1/namespaces/market_data
 *   GET        /iceberg/v1/namespaces/market_data/tables
 *   GET, HEAD  /iceberg/v1/namespaces/market_data/tables/:table
 *
 * Paths, answers and errors are those of the Iceberg REST catalog specification. Clients get the
 * metadata and read the files it names themselves. Every verb that would write is refused: the only
 * writer of the tables is the process that owns the data directory.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '#src/api/problem';
import { errorCode } from '#src/base/errors';

export interface IcebergSource {
  readonly namespace: string;
  readonly tables: readonly string[];
  /** The newest metadata (JSON text) of a table and its URI; undefined when there is no such table. */
  load(
    table: string,
  ): Promise<{ readonly location: string; readonly metadata: string } | undefined>;
}

const ENDPOINTS = [
  'GET /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
];

/** An error as Iceberg's clients read it: they go by `type` and status. */
class IcebergError extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.name = 'IcebergError';
    this.status = status;
    this.type = type;
  }
}

interface TableParams {
  readonly namespace: string;
  readonly table: string;
}

export function registerIceberg(
  app: FastifyInstance,
  source: IcebergSource,
  onFailure: (error: unknown) => void,
): void {
  app.register(
    async (scope) => {
      scope.addHook('onRequest', refuseWrites);
      scope.setErrorHandler((error, _request, reply) => answer(error, reply, onFailure));
      scope.setNotFoundHandler((request, reply) => {
        const message = `There is no ${request.method} ${request.url.split('?')[0]} in this catalog.`;
        answer(new IcebergError(404, 'NotFoundException', message), reply, onFailure);
      });
      routes(scope, source);
    },
    { prefix: '/iceberg' },
  );
}

async function refuseWrites({ method }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (method === 'GET' || method === 'HEAD') return;
  reply.header('allow', 'GET, HEAD');
  const message = `${method} is refused: this catalog is read-only.`;
  throw new IcebergError(405, 'UnsupportedOperationException', message);
}

/** For the OpenAPI document: the answers are those of the Iceberg REST specification. */
function documented(summary: string) {
  const description = "As in Apache Iceberg's REST catalog specification.";
  return { schema: { summary, description, tags: ['iceberg'] } };
}

function routes(scope: FastifyInstance, source: IcebergSource): void {
  const requireNamespace = (namespace: string): void => {
    if (namespace === source.namespace) return;
    const message = `Namespace does not exist: ${namespace}`;
    throw new IcebergError(404, 'NoSuchNamespaceException', message);
  };
  const load = async ({ namespace, table }: TableParams) => {
    requireNamespace(namespace);
    const loaded = await source.load(table);
    if (loaded !== undefined) return loaded;
    const message = `Table does not exist: ${namespace}.${table}`;
    throw new IcebergError(404, 'NoSuchTableException', message);
  };
  // HEAD answers without a body and with 204, so it is not the same route as GET.
  const getOnly = (summary: string) => ({ exposeHeadRoute: false, ...documented(summary) });

  scope.get('/v1/config', getOnly('What the catalog answers.'), async () => ({
    defaults: {},
    overrides: {},
    endpoints: ENDPOINTS,
  }));
  scope.get<{ Querystring: { parent?: string } }>(
    '/v1/namespaces',
    getOnly('The namespaces.'),
    async (request) => {
      const { parent } = request.query;
      if (parent === undefined || parent === '') return { namespaces: [[source.namespace]] };
      requireNamespace(parent);
      return { namespaces: [] };
    },
  );
  const one = '/v1/namespaces/:namespace';
  scope.get<{ Params: TableParams }>(one, getOnly('The namespace.'), async ({ params }) => {
    requireNamespace(params.namespace);
    return { namespace: [source.namespace], properties: {} };
  });
  scope.head<{ Params: TableParams }>(
    one,
    documented('Whether there is the namespace.'),
    async ({ params }, reply) => {
      requireNamespace(params.namespace);
      return reply.code(204).send();
    },
  );
  scope.get<{ Params: TableParams }>(
    `${one}/tables`,
    getOnly('The tables.'),
    async ({ params }) => {
      requireNamespace(params.namespace);
      const { namespace, tables } = source;
      return { identifiers: tables.map((name) => ({ namespace: [namespace], name })) };
    },
  );
  scope.get<{ Params: TableParams; Querystring: { snapshots?: string } }>(
    `${one}/tables/:table`,
    getOnly('The newest metadata of a table.'),
    async (request, reply) => {
      const { location, metadata } = await load(request.params);
      const refsOnly = request.query.snapshots === 'refs';
      const text = refsOnly ? withReferencedSnapshots(metadata) : metadata;
      const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`;
      reply.header('etag', etag);
      if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
      reply.type('application/json; charset=utf-8').serializer((body: string) => body);
      // The metadata goes out as it is in its file.
      return `{"metadata-location":${JSON.stringify(location)},"metadata":${text},"config":{}}`;
    },
  );
  scope.head<{ Params: TableParams }>(
    `${one}/tables/:table`,
    documented('Whether there is the table.'),
    async ({ params }, reply) => {
      await load(params);
      return reply.code(204).send();
    },
  );
}

/** The same metadata without the snapshots that no branch or tag names. */
function withReferencedSnapshots(text: string): string {
  const metadata = JSON.parse(text);
  const refs: { 'snapshot-id': number }[] = Object.values(metadata.refs ?? {});
  const ids = new Set(refs.map((ref) => ref['snapshot-id']));
  const snapshots = (metadata.snapshots as { 'snapshot-id': number }[]).filter((snapshot) =>
    ids.has(snapshot['snapshot-id']),
  );
  return JSON.stringify({ ...metadata, snapshots });
}

function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function answer(error: unknown, reply: FastifyReply, onFailure: (error: unknown) => void): void {
  const { status, type, message } = explain(error);
  if (status >= 500) onFailure(error);
  reply
    .code(status)
    .type('application/json; charset=utf-8')
    .serializer((body: string) => body)
    .send(JSON.stringify({ error: { message, type, code: status } }));
}

/** What the door says, in the catalog's words. */
const PROBLEM_EXCEPTIONS: Readonly<Record<number, string>> = {
  401: 'NotAuthorizedException',
  403: 'ForbiddenException',
  429: 'SlowDownException',
};

function explain(error: unknown): { status: number; type: string; message: string } {
  if (error instanceof IcebergError) return error;
  if (error instanceof Problem) {
    const type = PROBLEM_EXCEPTIONS[error.status] ?? 'BadRequestException';
    return { status: error.status, type, message: error.message };
  }
  if (error instanceof Error && errorCode(error).startsWith('FST_ERR_')) {
    const status = 'statusCode' in error ? Number(error.statusCode) : 500;
    if (status < 500) return { status, type: 'BadRequestException', message: error.message };
  }
  const message = 'The server failed to answer; its log says why.';
  return { status: 500, type: 'InternalServerError', message };
}
