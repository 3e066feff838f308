/**
 * Comlink's adapter for Node's workers and message ports, with the types its ES module lacks.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import type { Endpoint } from 'comlink';
// @ts-expect-error comlink ships no declarations beside this file
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';

export const controlEndpoint = nodeEndpoint as (port: Worker | MessagePort) => Endpoint;
