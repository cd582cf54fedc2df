// Whether a JSON value is of a TypeScript type, as the compiler would judge a literal of it: also a property that the
// type does not have is a fault. A property that is missing is none: Grafana fills in its defaults.

// Types that Grafana leaves to data sources and plugins to extend.
const OPEN = new Set(['AnnotationQuery', 'VariableModel']);

export class Conformance {
  #ts;
  #checker;

  constructor(ts, checker) {
    this.#ts = ts;
    this.#checker = checker;
  }

  /// Faults of `value`, each as "path: what is wrong".
  faults(value, type, path = '') {
    const { TypeFlags } = this.#ts;
    if (type.flags & (TypeFlags.Any | TypeFlags.Unknown)) return [];
    if (type.isUnion()) return this.#faultsInUnion(value, type, path);
    if (type.isLiteral()) return value === type.value ? [] : this.#mismatch(value, type, path);
    if (type.flags & TypeFlags.BooleanLiteral) {
      return String(value) === this.#checker.typeToString(type) ? [] : this.#mismatch(value, type, path);
    }
    for (const [flag, name] of [[TypeFlags.String, 'string'], [TypeFlags.Number, 'number'], [TypeFlags.Boolean, 'boolean']]) {
      if (type.flags & flag) return typeof value === name ? [] : this.#mismatch(value, type, path);
    }
    if (type.flags & TypeFlags.Null) return value === null ? [] : this.#mismatch(value, type, path);
    if (type.flags & TypeFlags.Undefined) return this.#mismatch(value, type, path);
    if (value === null || typeof value !== 'object') return this.#mismatch(value, type, path);
    if (this.#checker.isArrayType(type)) {
      if (!Array.isArray(value)) return this.#mismatch(value, type, path);
      const [element] = this.#checker.getTypeArguments(type);
      return value.flatMap((item, n) => this.faults(item, element, `${path}[${n}]`));
    }
    if (Array.isArray(value)) return this.#mismatch(value, type, path);
    return this.#faultsInObject(value, type, path);
  }

  /// The type of a property, undefined if `type` has none of this name.
  property(type, name) {
    const symbol = this.#checker.getPropertyOfType(type, name);
    return symbol ? this.#checker.getTypeOfSymbol(symbol) : this.#checker.getIndexInfosOfType(type)[0]?.type;
  }

  /// Those against the member of the value's own kind that it is most like.
  #faultsInUnion(value, type, path) {
    const { TypeFlags } = this.#ts;
    const composed = value !== null && typeof value === 'object';
    const alike = type.types.filter((member) => Boolean(member.flags & TypeFlags.Object) === composed);
    const found = alike.map((member) => this.faults(value, member, path));
    if (found.length && (composed || found.some((faults) => !faults.length))) {
      return found.reduce((a, b) => (b.length < a.length ? b : a));
    }
    return this.#mismatch(value, type, path);
  }

  #faultsInObject(value, type, path) {
    const open = OPEN.has(type.symbol?.name);
    return Object.entries(value).flatMap(([name, item]) => {
      const expected = this.property(type, name);
      const at = path ? `${path}.${name}` : name;
      if (expected) return this.faults(item, expected, at);
      return open ? [] : [`${at}: ${type.aliasSymbol?.name ?? type.symbol?.name ?? 'the type'} has no such property`];
    });
  }

  #mismatch(value, type, path) {
    return [`${path}: ${JSON.stringify(value)?.slice(0, 60)} is not ${this.#checker.typeToString(type).slice(0, 200)}`];
  }
}
