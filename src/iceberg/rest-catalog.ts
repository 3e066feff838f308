/**
 * An external Iceberg REST catalog as the one who says which metadata of a table is the newest. It writes
 * the metadata files; manifests and data files are written by us, into the same warehouse.
 *
 * A commit names what it rests on (the table's UUID, the snapshot `main` is at), so that it is done once
 * at most. 409 means that it was not done. A 5xx, a timeout or a cut connection says nothing: then the
 * table is loaded and searched for our snapshot, by id, epoch and counts, before anything is sent
 * again, and what is sent again rests on the same snapshot as before.
 */
import { NAMESPACE } from '#schemas/tables';
import { EXIT, UserError } from '#src/base/errors';
import type { Catalog, CatalogTable, MetadataText, TableVersion } from '#src/iceberg/catalog';
import { loadTable } from '#src/iceberg/catalog';
import { parseExactJson, parseMetadata } from '#src/iceberg/metadata-text';
import { changes, creation, hasChanges, type TableUpdate } from '#src/iceberg/rest-updates';
import type { TableMetadata } from '#src/iceberg/table-metadata';
import { AttemptTimeout, type Patience, patiently } from '#src/warehouse/attempts';
import type { Warehouse } from '#src/warehouse/warehouse';

export interface RestCatalogOptions {
  /** What comes before `/v1`. */
  readonly uri: string;
  /** The catalog's own name of the warehouse; '' for its only one. */
  readonly warehouse: string;
  /** Bearer token. */
  readonly token: string | undefined;
  readonly patience: Patience;
}

/** An answer that says nothing about what was done. */
class Unanswered extends Error {}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What a commit came to: the new version, or nothing because somebody else was first. */
interface Outcome {
  readonly made: TableVersion | undefined;
}

export class RestCatalog implements Catalog {
  readonly #options: RestCatalogOptions;
  /** The first part of every path, as the catalog's configuration gives it. */
  #root: Promise<string> | undefined;

  constructor(options: RestCatalogOptions) {
    this.#options = options;
  }

  async read(_warehouse: Warehouse, table: string): Promise<MetadataText | undefined> {
    const answer = await this.#ask('GET', await this.#path(table), undefined, [404]);
    return answer.status === 404 ? undefined : this.#loaded(answer.text);
  }

  async create(table: CatalogTable, metadata: TableMetadata): Promise<TableVersion | undefined> {
    const { definition, warehouse } = table;
    const found = await loadTable(this, warehouse, definition.name);
    if (found !== undefined && found.metadata.location !== metadata.location) {
      throw new UserError(
        EXIT.config,
        `The catalog ${this.#options.uri} has a table ${NAMESPACE}.${definition.name} at ${found.metadata.location}, not ours at ${metadata.location}; drop it there, or name another catalog or warehouse.`,
      );
    }
    const namespace = { namespace: [NAMESPACE], properties: {} };
    await this.#ask('POST', `${await this.#prefix()}/namespaces`, namespace, [409]);
    if (found !== undefined) await this.#drop(definition.name);
    const empty = { ...metadata, snapshots: [], schemas: [] };
    return this.#commit(table, creation(metadata), empty, metadata);
  }

  commit(
    table: CatalogTable,
    base: TableVersion,
    metadata: TableMetadata,
  ): Promise<TableVersion | undefined> {
    return this.#commit(table, changes(base.metadata, metadata), base.metadata, metadata);
  }

  /** Its files are its own business. */
  async tidy(): Promise<void> {}

  async #commit(
    { definition, warehouse, step }: CatalogTable,
    update: TableUpdate,
    before: TableMetadata,
    after: TableMetadata,
  ): Promise<TableVersion | undefined> {
    const path = await this.#path(definition.name);
    const identifier = { namespace: [NAMESPACE], name: definition.name };
    const look = async (): Promise<Outcome | undefined> => {
      const now = await loadTable(this, warehouse, definition.name);
      return now && hasChanges(now.metadata, before, after) ? { made: now } : undefined;
    };
    step('after-metadata-tmp');
    const { made } = await this.#patiently<Outcome>(
      path,
      async (signal) => {
        const answer = await this.#send('POST', path, { identifier, ...update }, signal, [409]);
        // Somebody else was first, unless it was an attempt of ours whose answer was lost.
        if (answer.status === 409) return (await look()) ?? { made: undefined };
        const { version, location, text } = this.#loaded(answer.text);
        const metadata = parseMetadata(text);
        if (metadata === undefined) throw this.#unreadable();
        return { made: { version, location, metadata } };
      },
      look,
    );
    if (made === undefined) return undefined;
    step('after-metadata-link');
    step('after-metadata-sync');
    step('after-version-hint');
    return made;
  }

  async #drop(table: string): Promise<void> {
    await this.#ask('DELETE', `${await this.#path(table)}?purgeRequested=false`, undefined, [404]);
  }

  /** A LoadTableResult. */
  #loaded(text: string): MetadataText {
    const answer = parseExactJson(text) as { 'metadata-location': string; metadata: unknown };
    if (answer === undefined) throw this.#unreadable();
    const { metadata, 'metadata-location': location } = answer;
    return { version: 0, location, text: JSON.stringify(metadata) };
  }

  #unreadable(): UserError {
    const message = `The catalog ${this.#options.uri} answered with what is no table of ours; see which catalog it is.`;
    return new UserError(EXIT.io, message);
  }

  async #path(table: string): Promise<string> {
    return `${await this.#prefix()}/namespaces/${NAMESPACE}/tables/${table}`;
  }

  #prefix(): Promise<string> {
    this.#root ??= this.#configured().catch((error: unknown) => {
      this.#root = undefined; // asked again by the next
      throw error;
    });
    return this.#root;
  }

  async #configured(): Promise<string> {
    const { warehouse } = this.#options;
    const query = warehouse === '' ? '' : `?warehouse=${encodeURIComponent(warehouse)}`;
    const { text } = await this.#ask('GET', `/v1/config${query}`, undefined, []);
    const { defaults = {}, overrides = {} } = JSON.parse(text);
    const { prefix } = { ...defaults, ...overrides };
    return typeof prefix === 'string' && prefix !== '' ? `/v1/${prefix}` : '/v1';
  }

  /** For what may be asked again as often as one likes. */
  #ask(method: string, path: string, body: unknown, expected: readonly number[]): Promise<Answer> {
    return this.#patiently(path, (signal) => this.#send(method, path, body, signal, expected));
  }

  async #patiently<T>(
    path: string,
    ask: (signal: AbortSignal) => Promise<T>,
    look?: () => Promise<T | undefined>,
  ): Promise<T> {
    const { patience, uri } = this.#options;
    const isTransient = (error: unknown): boolean =>
      error instanceof Unanswered || error instanceof AttemptTimeout;
    try {
      return await patiently(patience, ask, isTransient, look);
    } catch (error) {
      if (!isTransient(error)) throw error;
      throw new UserError(
        EXIT.io,
        `The catalog ${uri} cannot be reached (${(error as Error).message} at ${path}): check it and its address.`,
        { cause: error },
      );
    }
  }

  async #send(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal,
    expected: readonly number[],
  ): Promise<Answer> {
    const { uri, token } = this.#options;
    let answer: Answer;
    try {
      const response = await fetch(`${uri.replace(/\/$/, '')}${path}`, {
        method,
        signal,
        redirect: 'error', // nobody else gets the token
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      answer = { status: response.status, text: await response.text() };
    } catch (error) {
      const { message, cause } = error as Error;
      throw new Unanswered(cause instanceof Error ? cause.message : message, { cause: error });
    }
    const { status, text } = answer;
    if ((status >= 200 && status < 300) || expected.includes(status)) return answer;
    if (status >= 500 || status === 408 || status === 429) throw new Unanswered(`${status}`);
    const message = `The catalog ${uri} refuses ${method} ${path} (${status}${reasonOf(text)}): check its address, its warehouse and the token in BULLION_CATALOG_TOKEN.`;
    throw new UserError(EXIT.io, message);
  }
}

/** The sentence of an Iceberg error, if it is one. */
function reasonOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { type?: string; message?: string } };
    const said = String(error?.message ?? '')
      .split('\n', 1)[0]
      ?.slice(0, 200);
    return error === undefined ? '' : ` ${error.type ?? ''}: ${said}`;
  } catch {
    return '';
  }
}
