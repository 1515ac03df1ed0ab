import { FUNCTIONS, isRefusal } from './functions.ts';
import { formatValue } from './gofmt.ts';
import { type Block, type Call, type Node, type Operand, type Pipe, parseTemplate } from './parse.ts';
import { execError, type Source } from './source.ts';
import { fieldValue, isStruct, isTrue, NO_VALUE, sortedEntries, typeName } from './values.ts';

export interface Template {
  readonly source: Source;
  readonly nodes: readonly Node[];
}

export interface ExecOptions {
  /** The type that errors name for the data itself: `containers.psReporter`. */
  readonly typeName?: string | undefined;
  /** Given for the heading of a table: fields yield their headings and functions leave them as they are. */
  readonly headerOf?: ((field: string) => string) | undefined;
}

interface Variable {
  readonly name: string;
  value: unknown;
}

interface State extends ExecOptions {
  readonly source: Source;
  readonly root: unknown;
  readonly variables: Variable[];
  readonly out: string[];
}

/** Go evaluates these from left to right and stops where the result is known. */
const SHORT_CIRCUIT: Readonly<Record<string, (value: unknown) => boolean>> = {
  and: (value) => !isTrue(value),
  or: isTrue,
};

/** Parses a template; `name` stands in its errors. Throws USAGE. */
export function compile(name: string, text: string): Template {
  const source = { name, text };
  return { source, nodes: parseTemplate(source, (word) => FUNCTIONS.has(word) || word in SHORT_CIRCUIT) };
}

const errorAt = (state: State, operand: Operand, message: string): never =>
  execError(state.source, operand.pos, operand.text, message);

const nameType = (state: State, value: unknown): string =>
  value === state.root ? (state.typeName ?? typeName(value)) : typeName(value);

/** Calls a field that holds a function, as Go calls methods. */
function callField(
  state: State,
  operand: Operand,
  owner: unknown,
  value: unknown,
  args: readonly unknown[],
): unknown {
  if (typeof value !== 'function') {
    return args.length === 0
      ? value
      : errorAt(state, operand, 'the field has arguments but cannot be invoked');
  }
  const result: unknown = Reflect.apply(value, owner, args);
  return result ?? null;
}

function readField(
  state: State,
  operand: Operand,
  owner: unknown,
  name: string,
  args: readonly unknown[],
): unknown {
  if (state.headerOf !== undefined) return state.headerOf(name);
  if (owner === NO_VALUE) return NO_VALUE;
  if (owner instanceof Map) {
    return owner.has(name) ? callField(state, operand, owner, owner.get(name) ?? null, args) : NO_VALUE;
  }
  if (isStruct(owner) && Object.hasOwn(owner, name)) {
    return callField(state, operand, owner, fieldValue(owner, name), args);
  }
  if (owner === null) return errorAt(state, operand, `nil pointer evaluating interface {}.${name}`);
  return errorAt(state, operand, `can't evaluate field ${name} in type ${nameType(state, owner)}`);
}

function variableNamed(state: State, operand: Operand, name: string): unknown {
  const variable = state.variables.findLast((candidate) => candidate.name === name);
  return variable === undefined ? errorAt(state, operand, `undefined variable: ${name}`) : variable.value;
}

function evaluateBase(state: State, dot: unknown, operand: Operand): unknown {
  const { base } = operand;
  switch (base.kind) {
    case 'dot':
      return dot;
    case 'variable':
      return variableNamed(state, operand, base.name);
    case 'literal':
      return base.value;
    case 'function':
      return callFunction(state, [operand], base.name, []);
    case 'pipe':
      return evaluatePipe(state, dot, base.pipe);
  }
}

/** The value of an operand; `args` go to its last field, where that is a function. */
function evaluate(state: State, dot: unknown, operand: Operand, args: readonly unknown[] = []): unknown {
  let value = evaluateBase(state, dot, operand);
  for (const [index, name] of operand.fields.entries()) {
    value = readField(state, operand, value, name, index === operand.fields.length - 1 ? args : []);
  }
  return value;
}

function callFunction(state: State, call: Call, name: string, args: readonly unknown[]): unknown {
  if (state.headerOf !== undefined && name !== 'printf') {
    return args.find((arg) => typeof arg === 'string' && arg !== '') ?? '';
  }
  const texts =
    state.headerOf === undefined ? args : args.map((arg, index) => (index === 0 ? asText(arg) : arg));
  const result = FUNCTIONS.get(name)?.(texts);
  if (!isRefusal(result)) return result;
  const [head] = call;
  if (result.arity === true) errorAt(state, head, `wrong number of args for ${name}: ${result.refusal}`);
  const text = state.source.text.slice(head.start, call.at(-1)?.end);
  return execError(state.source, head.pos, text, `error calling ${name}: ${result.refusal}`);
}

/** A printf format in which every value prints as text: headings are text whatever the column holds. */
const asText = (format: unknown): unknown =>
  typeof format === 'string' ? format.replace(/%([-0-9]*)(?:\.[0-9]+)?[a-zA-Z]/g, '%$1s') : format;

function shortCircuit(
  state: State,
  dot: unknown,
  call: Call,
  stops: (value: unknown) => boolean,
  piped: readonly unknown[],
): unknown {
  const [head, ...operands] = call;
  if (operands.length + piped.length === 0)
    errorAt(state, head, `wrong number of args for ${head.text}: want at least 1 got 0`);
  let value: unknown = null;
  for (const operand of operands) {
    value = evaluate(state, dot, operand);
    if (stops(value)) return value;
  }
  return piped.length === 0 ? value : piped[0];
}

function evaluateCall(state: State, dot: unknown, call: Call, piped: readonly unknown[]): unknown {
  const [head, ...operands] = call;
  const name = head.base.kind === 'function' ? head.base.name : undefined;
  const stops = name === undefined ? undefined : SHORT_CIRCUIT[name];
  if (stops !== undefined && state.headerOf === undefined)
    return shortCircuit(state, dot, call, stops, piped);
  const args = [...operands.map((operand) => evaluate(state, dot, operand)), ...piped];
  if (name !== undefined) return callFunction(state, call, name, args);
  if (args.length > 0 && head.fields.length === 0) {
    return errorAt(state, head, `can't give argument to non-function ${head.text}`);
  }
  return evaluate(state, dot, head, args);
}

function evaluatePipe(state: State, dot: unknown, pipe: Pipe): unknown {
  let piped: readonly unknown[] = [];
  for (const call of pipe.calls) piped = [evaluateCall(state, dot, call, piped)];
  const value = piped[0];
  for (const name of pipe.variables) {
    const existing = pipe.assigns
      ? state.variables.findLast((variable) => variable.name === name)
      : undefined;
    if (existing === undefined) state.variables.push({ name, value });
    else existing.value = value;
  }
  return value;
}

type Signal = 'break' | 'continue' | undefined;

function setVariables(state: State, pipe: Pipe, key: unknown, item: unknown): void {
  const [first, second] = pipe.variables;
  const values =
    second === undefined
      ? [[first, item]]
      : [
          [first, key],
          [second, item],
        ];
  for (const [name, value] of values) {
    const variable = state.variables.findLast((candidate) => candidate.name === name);
    if (variable !== undefined) variable.value = value;
  }
}

function entriesOf(state: State, pipe: Pipe, value: unknown): [unknown, unknown][] {
  if (state.headerOf !== undefined) return [[value, value]];
  if (value === null || value === NO_VALUE) return [];
  if (Array.isArray(value)) return [...value.entries()];
  if (value instanceof Map || isStruct(value)) return sortedEntries(value);
  const [head] = pipe.calls[0] ?? [];
  const message = `range can't iterate over ${formatValue(value)}`;
  return execError(state.source, head?.pos ?? pipe.pos, head?.text ?? '', message);
}

function runRange(state: State, dot: unknown, node: Block): Signal {
  const entries = entriesOf(state, node.pipe, evaluatePipe(state, dot, node.pipe));
  if (entries.length === 0) return runNodes(state, dot, node.otherwise);
  const scope = state.variables.length;
  for (const [key, item] of entries) {
    setVariables(state, node.pipe, key, item);
    const signal = runNodes(state, item, node.body);
    state.variables.length = scope;
    if (signal === 'break') break;
  }
  return undefined;
}

function runBlock(state: State, dot: unknown, node: Block): Signal {
  const scope = state.variables.length;
  let signal: Signal;
  if (node.kind === 'range') {
    signal = runRange(state, dot, node);
  } else {
    const value = evaluatePipe(state, dot, node.pipe);
    const inner = node.kind === 'with' ? value : dot;
    signal = isTrue(value) ? runNodes(state, inner, node.body) : runNodes(state, dot, node.otherwise);
  }
  state.variables.length = scope;
  return signal;
}

function runNodes(state: State, dot: unknown, nodes: readonly Node[]): Signal {
  for (const node of nodes) {
    if (node.kind === 'text') state.out.push(node.text);
    else if (node.kind === 'break' || node.kind === 'continue') return node.kind;
    else if (node.kind === 'output') {
      const value = evaluatePipe(state, dot, node.pipe);
      if (node.pipe.variables.length === 0) state.out.push(formatValue(value));
    } else {
      const signal = runBlock(state, dot, node);
      if (signal !== undefined) return signal;
    }
  }
  return undefined;
}

/** Runs a template on JSON-like data (objects, arrays, Maps, functions as methods). Throws USAGE. */
export function execute({ source, nodes }: Template, data: unknown, options: ExecOptions = {}): string {
  const root = data ?? null;
  const state: State = { ...options, source, root, variables: [{ name: '$', value: root }], out: [] };
  runNodes(state, root, nodes);
  return state.out.join('');
}
