// What a scrape gets: all metrics, in the text format of Prometheus or as OpenMetrics, whichever was asked for.
import type { Counter, Registry, RegistryContentType } from '@prometheus-io/client';
import { type Family, type MetricSources, PROXY_FAMILIES, type Sample } from './families.ts';
import { PROCESS_FAMILIES } from './process.ts';

export const FAMILIES: readonly Family[] = [...PROXY_FAMILIES, ...PROCESS_FAMILIES];

/** @param accept the header of the request */
export type MetricsReply = (accept: string | undefined) => Promise<{ type: string; body: Buffer }>;

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * A function that answers scrapes. The library is loaded by the first one: it takes some 40 ms, which a proxy that nobody
 * scrapes does not pay at its start. Scrapes that come while one of their format is under way share what it gets.
 */
export function metricsReply(sources: MetricSources): MetricsReply {
  const registries = new Map<RegistryContentType, Registry>();
  const underWay = new Map<RegistryContentType, Promise<Buffer>>();
  const render = async (type: RegistryContentType): Promise<Buffer> => {
    const registry = registries.get(type) ?? (await registryOf(type, sources));
    registries.set(type, registry);
    return Buffer.from(await registry.metrics());
  };
  return async (accept) => {
    const type = prefersOpenMetrics(accept ?? '') ? OPEN_METRICS : TEXT;
    const rendering = underWay.get(type) ?? render(type).finally(() => underWay.delete(type));
    underWay.set(type, rendering);
    return { type, body: await rendering };
  };
}

// One for each format: it takes `_total` off the names of its counters for OpenMetrics, and never puts it back.
async function registryOf(type: RegistryContentType, sources: MetricSources): Promise<Registry> {
  const { Registry } = await import('@prometheus-io/client');
  const registry = new Registry(type);
  for (const family of FAMILIES) registry.registerMetric(asMetric(family, sources));
  return registry;
}

// The registry asks each metric for its values at every scrape, and needs nothing else of the classes of the library.
function asMetric({ name, type, help, read }: Family, sources: MetricSources): Counter<string> {
  const metric = {
    name,
    type,
    async get() {
      const samples = await read(sources);
      return { name: metric.name, type, help, values: samples.map((sample) => asValue(name, sample)) };
    },
  };
  return metric as unknown as Counter<string>;
}

function asValue(name: string, { value, labels = {}, suffix }: Sample): object {
  return suffix === undefined ? { value, labels } : { value, labels, metricName: `${name}${suffix}` };
}

/**
 * Whether a scrape wants OpenMetrics rather than text (RFC 9110, 12.5.1).
 * @param accept such as `application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4`
 */
export function prefersOpenMetrics(accept: string): boolean {
  let openMetrics = 0;
  let text = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
    const version = parameters
      .find((parameter) => parameter.startsWith('version='))
      ?.slice(8)
      .replaceAll('"', '');
    const q = Number(weight) || 0;
    if (type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0'))
      openMetrics = Math.max(openMetrics, q);
    else if (type === 'text/plain') text = Math.max(text, q);
  }
  return openMetrics > 0 && openMetrics >= text;
}
