/**
 * An Iceberg REST catalog in memory, as faithful as its clients here need it: it checks requirements,
 * applies updates one by one, keeps the books a catalog keeps (snapshot log, last sequence number, ids
 * of schemas, specs and orders), answers errors in Iceberg's form, and fails on command.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// biome-ignore lint/suspicious/noExplicitAny: JSON of another's format, taken as it comes
type Json = Record<string, any>;

/**
 * refused: 503 and nothing is done. failed, timedOut: it is done, and answered with 500 and 504. cut: it is
 * done, and the connection closed. silent: it is done and never answered. late: nothing is answered, and it
 * is done a moment after.
 */
export type CatalogFault = 'refused' | 'failed' | 'timedOut' | 'cut' | 'silent' | 'late';

export interface CatalogRequest {
  readonly method: string;
  readonly path: string;
}

interface Answer {
  readonly status: number;
  readonly body?: Json;
}

const LATE_MS = 30;
export const TOKEN = 'a-token-of-the-tests-only';

export class RestCatalogServer {
  readonly tables = new Map<string, Json>();
  readonly namespaces = new Set<string>();
  readonly requests: CatalogRequest[] = [];
  fault: (request: CatalogRequest, count: number) => CatalogFault | undefined = () => undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get uri(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/catalog`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = ({ status, body }: Answer): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    };
    const { pathname, searchParams } = new URL(request.url as string, 'http://localhost');
    const method = request.method as string;
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      return send(failure(401, 'NotAuthorizedException'));
    }
    if (pathname === '/catalog/v1/config') {
      const prefix = searchParams.get('warehouse') === 'ours' ? 'w/ours' : '';
      return send({ status: 200, body: { defaults: {}, overrides: { prefix } } });
    }
    const fault = this.fault({ method, path: pathname }, this.requests.length);
    this.requests.push({ method, path: pathname });
    if (fault === 'refused') return send(failure(503, 'ServiceUnavailableException'));
    const text = Buffer.concat(chunks).toString();
    const answer = (): Answer => {
      const root = '/catalog/v1/w/ours/';
      if (!pathname.startsWith(root)) return failure(404, 'NotFoundException');
      return this.#answer(method, pathname.slice(root.length).split('/'), text);
    };
    if (fault === 'late') {
      setTimeout(() => {
        answer();
        request.socket.destroy();
      }, LATE_MS);
      return;
    }
    const answered = answer();
    if (fault === 'failed') return send(failure(500, 'CommitStateUnknownException'));
    if (fault === 'timedOut') return send(failure(504, 'CommitStateUnknownException'));
    if (fault === 'cut') return void request.socket.destroy();
    if (fault === 'silent') return;
    send(answered);
  }

  #answer(method: string, [, namespace = '', , table = '']: string[], text: string): Answer {
    if (method === 'POST' && namespace === '') {
      const [name] = JSON.parse(text).namespace;
      if (this.namespaces.has(name)) return failure(409, 'AlreadyExistsException');
      this.namespaces.add(name);
      return { status: 200, body: { namespace: [name], properties: {} } };
    }
    if (!this.namespaces.has(namespace)) return failure(404, 'NoSuchNamespaceException');
    const metadata = this.tables.get(table);
    if (method === 'POST') return this.#commit(table, metadata, JSON.parse(text));
    if (metadata === undefined) return failure(404, 'NoSuchTableException');
    if (method === 'DELETE') {
      this.tables.delete(table);
      return { status: 204 };
    }
    return { status: 200, body: result(metadata) };
  }

  #commit(table: string, before: Json | undefined, { requirements, updates }: Json): Answer {
    for (const requirement of requirements) {
      if (!holds(requirement, before)) return failure(409, 'CommitFailedException');
    }
    if (before === undefined && requirements[0]?.type !== 'assert-create') {
      return failure(404, 'NoSuchTableException');
    }
    const metadata = structuredClone(before ?? EMPTY);
    for (const update of updates) apply(metadata, update);
    metadata.$version = (before?.$version ?? -1) + 1;
    this.tables.set(table, metadata);
    return { status: 200, body: result(metadata) };
  }
}

const EMPTY: Json = {
  'last-sequence-number': 0,
  'last-updated-ms': 0,
  'last-column-id': 0,
  'last-partition-id': 999,
  schemas: [],
  'partition-specs': [],
  'sort-orders': [],
  properties: {},
  'current-snapshot-id': -1,
  snapshots: [],
  'snapshot-log': [],
  'metadata-log': [],
  refs: {},
};

function result({ $version, ...metadata }: Json): Json {
  const name = `${String($version).padStart(5, '0')}-of-the-catalog.metadata.json`;
  return { 'metadata-location': `${metadata.location}/metadata/${name}`, metadata, config: {} };
}

function failure(code: number, type: string): Answer {
  return { status: code, body: { error: { message: `${type} of the tests`, type, code } } };
}

function holds(requirement: Json, table: Json | undefined): boolean {
  switch (requirement.type) {
    case 'assert-create':
      return table === undefined;
    case 'assert-table-uuid':
      return table?.['table-uuid'] === requirement.uuid;
    case 'assert-ref-snapshot-id':
      return (table?.refs[requirement.ref]?.['snapshot-id'] ?? null) === requirement['snapshot-id'];
    case 'assert-current-schema-id':
      return table?.['current-schema-id'] === requirement['current-schema-id'];
    default:
      throw new Error(`requirement ${requirement.type}`);
  }
}

function apply(table: Json, update: Json): void {
  switch (update.action) {
    case 'assign-uuid':
      table['table-uuid'] = update.uuid;
      return;
    case 'upgrade-format-version':
      table['format-version'] = update['format-version'];
      return;
    case 'add-schema':
      table.schemas.push({ ...update.schema, 'schema-id': table.schemas.length });
      table['last-column-id'] = update['last-column-id'];
      return;
    case 'set-current-schema':
      table['current-schema-id'] = table.schemas.length - 1;
      return;
    case 'add-spec':
      // Keys in another order than the client's, as Iceberg's own server writes them.
      table['partition-specs'].push({
        fields: update.spec.fields.map((field: Json) => ({
          name: field.name,
          transform: field.transform,
          'source-id': field['source-id'],
          'field-id': field['field-id'],
        })),
        'spec-id': table['partition-specs'].length,
      });
      table['last-partition-id'] = 999 + update.spec.fields.length;
      return;
    case 'set-default-spec':
      table['default-spec-id'] = table['partition-specs'].length - 1;
      return;
    case 'add-sort-order':
      table['sort-orders'].push({ ...update['sort-order'], 'order-id': 1 });
      return;
    case 'set-default-sort-order':
      table['default-sort-order-id'] = 1;
      return;
    case 'set-location':
      table.location = update.location;
      return;
    case 'set-properties':
      Object.assign(table.properties, update.updates);
      return;
    case 'add-snapshot': {
      const { snapshot } = update;
      if (snapshot['sequence-number'] <= table['last-sequence-number']) throw new Error('sequence');
      if (table.snapshots.some((s: Json) => s['snapshot-id'] === snapshot['snapshot-id'])) {
        throw new Error('the snapshot is there already');
      }
      table.snapshots.push(snapshot);
      table['last-sequence-number'] = snapshot['sequence-number'];
      table['last-updated-ms'] = snapshot['timestamp-ms'];
      return;
    }
    case 'set-snapshot-ref': {
      const id = update['snapshot-id'];
      table.refs[update['ref-name']] = { 'snapshot-id': id, type: update.type };
      table['current-snapshot-id'] = id;
      const timestamp = table['last-updated-ms'];
      table['snapshot-log'].push({ 'timestamp-ms': timestamp, 'snapshot-id': id });
      return;
    }
    case 'remove-snapshots': {
      const gone = new Set(update['snapshot-ids']);
      const stays = (one: Json): boolean => !gone.has(one['snapshot-id']);
      table.snapshots = table.snapshots.filter(stays);
      table['snapshot-log'] = table['snapshot-log'].filter(stays);
      return;
    }
    default:
      throw new Error(`update ${update.action}`);
  }
}
