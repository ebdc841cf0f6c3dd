// Whether an object is what the API server takes: its fields, their types, and what is required.
import * as models from '@kubernetes/client-node/dist/gen/models/all.js';
import type { Manifest, Resource } from './base.ts';

type Attribute = { baseName: string; type: string };
type Model = { getAttributeTypeMap(): readonly Attribute[] };
type Errors = { errors?: readonly { instancePath: string; message?: string; params?: object }[] };

const MODELS = models as unknown as Readonly<Record<string, Model>>;
/** RFC 1123: the names of nearly everything. */
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;

/** Of these fields one is needed, and one only. */
const ONE_OF: Readonly<Record<string, readonly string[]>> = {
  V1Probe: ['exec', 'grpc', 'httpGet', 'tcpSocket'],
  V1LifecycleHandler: ['exec', 'httpGet', 'sleep'],
  V1EnvVar: ['value', 'valueFrom'],
};

/** What is wrong with the form of one object; nothing else need be looked at before this is right. */
export async function formProblems({ where, object }: Resource): Promise<string[]> {
  const { apiVersion, kind, metadata } = object;
  // `autoscaling/v2` has V2HorizontalPodAutoscaler.
  const type = `${apiVersion.replace(/^.*\//, '').replace(/^v/, 'V')}${kind}`;
  if (MODELS[type] === undefined) return [`${where}: ${apiVersion} has no ${kind}`];
  const names = DNS_LABEL.test(metadata.name) ? [] : [`${metadata.name} is no name`];
  const problems = [...names, ...(await typeProblems(object)), ...fieldProblems(object, type, '')];
  return problems.map((problem) => `${where}: ${problem}`);
}

// Types, required fields, texts of a list, quantities. Unknown fields it lets pass.
async function typeProblems(object: Manifest): Promise<string[]> {
  const { apiVersion, kind } = object;
  const module: Readonly<Record<string, new (data: unknown) => { validate(): void }>> = await import(
    `kubernetes-models/${apiVersion}/${kind}`
  ).catch(() => ({}));
  const Checked = module[kind];
  if (Checked === undefined) return [`${apiVersion} ${kind} can't be checked`];
  try {
    new Checked(object).validate();
    return [];
  } catch (error) {
    const { errors = [] } = error as Errors;
    if (errors.length === 0) throw error;
    return errors.map(({ instancePath, message }) => `${dotted(instancePath)} ${message}`);
  }
}

// Fields that there are not, empty fields, and the texts that the API server has a pattern for.
function fieldProblems(value: unknown, type: string, path: string): string[] {
  if (value === null || value === undefined) return [`${path} is empty`];
  const [, item] = /^Array<(.+)>$/.exec(type) ?? [];
  if (item !== undefined)
    return Array.isArray(value)
      ? value.flatMap((each, at) => fieldProblems(each, item, `${path}.${at}`))
      : [];
  const [, values] = /^\{ \[key: string\]: (.+); \}$/.exec(type) ?? [];
  if (values !== undefined)
    return Object.entries(value).flatMap(([key, each]) => [
      ...fieldProblems(each, values, `${path}.${key}`),
      ...(/(labels|matchLabels)$/.test(path) ? labelProblems(path, key, String(each)) : []),
    ]);
  const model = MODELS[type];
  if (model === undefined || typeof value !== 'object') return [];
  const attributes = new Map(model.getAttributeTypeMap().map(({ baseName, type }) => [baseName, type]));
  const chosen = Object.keys(value).filter((key) => ONE_OF[type]?.includes(key));
  const choice = type in ONE_OF && chosen.length !== 1 ? [`${path}: not exactly one of ${ONE_OF[type]}`] : [];
  const inside = Object.entries(value).flatMap(([key, each]) => {
    const inner = path === '' ? key : `${path}.${key}`;
    const typeOfField = attributes.get(key);
    if (typeOfField === undefined) return [`${inner}: ${type} has no such field`];
    return fieldProblems(each, typeOfField, inner);
  });
  return [...choice, ...inside];
}

function labelProblems(path: string, key: string, value: string): string[] {
  return LABEL_KEY.test(key) && LABEL_VALUE.test(value) ? [] : [`${path}.${key}: "${value}" is no label`];
}

function dotted(path: string): string {
  return path.slice(1).replaceAll('/', '.');
}
