/**
 * Loaded before the shipped program (`node --import killed-at-step.js dist/supervisor.js`): whoever asks
 * for the module of the commit's steps gets killing-steps.ts, whose hook kills.
 */
import { register } from 'node:module';

const STEPS = '#src/iceberg/commit-steps';
const KILLING = new URL('./killing-steps.js', import.meta.url).href;

/** Runs on the loader's own thread, so it comes as text. */
const hooks = `export async function resolve(specifier, context, next) {
  const isAsked = specifier === '${STEPS}' && context.parentURL !== '${KILLING}';
  return isAsked ? { url: '${KILLING}', shortCircuit: true } : next(specifier, context);
}`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
