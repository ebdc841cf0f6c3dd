// pure · a CPU profile → a tree of functions with their times, and what can be said of it in numbers.
// Must never count a function's time twice because it called itself.
import { type CallFrame, type CpuProfile, type ProfileNode, selfTimes } from '../../kit/cpu-profile.ts';

/** Whose time it is. `native` are functions without source: Node's and V8's own, in C++. */
export const CATEGORIES = ['ours', 'library', 'node', 'native', 'program', 'gc', 'idle'] as const;
export type Category = (typeof CATEGORIES)[number];

/** A function at one place of the tree; all its calls from there are one frame. */
export type Frame = {
  name: string;
  /** `services/proxy/servers/pool.ts:31`, counted from 1; '' where there is no source. */
  place: string;
  category: Category;
  /** Microseconds in which it was on top of the stack. */
  selfUs: number;
  /** Microseconds in which it was anywhere on the stack at this place of the tree. */
  totalUs: number;
  /** Those that it called, the longest first. */
  children: Frame[];
};

/** The functions that nobody called, and the whole time. */
export type Flame = { totalUs: number; idleUs: number; children: Frame[] };

/** A function over all places of the tree. */
export type FunctionCost = Omit<Frame, 'children'>;

// V8's names for what is no function.
const NO_FUNCTIONS: Readonly<Record<string, Category>> = {
  '(program)': 'program',
  '(garbage collector)': 'gc',
  '(idle)': 'idle',
};

/** @param rootUrl the project's folder as a URL that ends in `/`: what lies in it is ours */
export function buildFlame(profile: CpuProfile, rootUrl: string): Flame {
  const times = selfTimes(profile);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const calleesOf = (nodes: readonly ProfileNode[]): Frame[] => {
    const ids = nodes.flatMap(({ children = [] }) => children);
    const callees = ids.map((id) => byId.get(id)).filter((node) => node !== undefined);
    return [...Map.groupBy(callees, ({ callFrame }) => keyOf(callFrame)).values()]
      .map(frameOf)
      .filter(({ totalUs }) => totalUs > 0)
      .sort((a, b) => b.totalUs - a.totalUs || (a.name < b.name ? -1 : 1));
  };
  const frameOf = (nodes: readonly ProfileNode[]): Frame => {
    const { callFrame } = nodes[0] as ProfileNode;
    const selfUs = sum(nodes, ({ id }) => times.get(id) ?? 0);
    const children = calleesOf(nodes);
    const totalUs = selfUs + sum(children, (child) => child.totalUs);
    return { ...describe(callFrame, rootUrl), selfUs, totalUs, children };
  };
  const called = new Set(profile.nodes.flatMap(({ children = [] }) => children));
  // V8 has one node above everything, `(root)`, which is never on top of a stack.
  const children = calleesOf(profile.nodes.filter(({ id }) => !called.has(id)));
  return {
    totalUs: sum(children, ({ totalUs }) => totalUs),
    idleUs: sum(children, ({ category, totalUs }) => (category === 'idle' ? totalUs : 0)),
    children,
  };
}

/** Every function that was seen, by its own time, the longest first; idling is none. */
export function functionCosts({ children }: Flame): FunctionCost[] {
  const costs = new Map<string, FunctionCost>();
  const visit = (frame: Frame, callers: readonly string[]): void => {
    const { name, place, category, selfUs, totalUs } = frame;
    const key = `${name} ${place}`;
    const cost = costs.get(key) ?? { name, place, category, selfUs: 0, totalUs: 0 };
    cost.selfUs += selfUs;
    if (!callers.includes(key)) cost.totalUs += totalUs;
    costs.set(key, cost);
    for (const child of frame.children) visit(child, [...callers, key]);
  };
  for (const frame of children) if (frame.category !== 'idle') visit(frame, []);
  return [...costs.values()].sort((a, b) => b.selfUs - a.selfUs);
}

/** Microseconds spent in functions of each category, without what these called. */
export function categoryTimes({ children }: Flame): Record<Category, number> {
  const times = Object.fromEntries(CATEGORIES.map((category) => [category, 0])) as Record<Category, number>;
  const visit = (frame: Frame): void => {
    times[frame.category] += frame.selfUs;
    frame.children.forEach(visit);
  };
  children.forEach(visit);
  return times;
}

function describe(frame: CallFrame, rootUrl: string): Pick<Frame, 'name' | 'place' | 'category'> {
  const { functionName, url, lineNumber } = frame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  const isInside = url.startsWith(rootUrl);
  const file = isInside ? decodeURIComponent(url.slice(rootUrl.length)) : url;
  return {
    name,
    place: url === '' ? '' : `${file}:${lineNumber + 1}`,
    category: categoryOf(name, url, isInside),
  };
}

function categoryOf(name: string, url: string, isInside: boolean): Category {
  if (url === '') return NO_FUNCTIONS[name] ?? 'native';
  if (url.startsWith('node:')) return 'node';
  if (url.includes('/node_modules/')) return 'library';
  return isInside ? 'ours' : 'native';
}

function keyOf({ functionName, url, lineNumber }: CallFrame): string {
  return `${functionName} ${url}:${lineNumber}`;
}

function sum<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.reduce((total, item) => total + numberOf(item), 0);
}
