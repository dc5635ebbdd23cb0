const services = ['auth', 'scheduling', 'notifier']

/** What may import what. A folder's place in the architecture is its rights. */
export default {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'two files that need each other are one file, or need a third',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }
    },
    ...services.map((service) => ({
      name: `${service}-imports-no-other-service`,
      comment: 'what crosses a border is an event or an HTTP call',
      severity: 'error',
      from: { path: `^services/${service}/` },
      to: { path: `^(gateway|dev|journeys|bench|services/(?!${service}/))` }
    })),
    {
      name: 'gateway-imports-no-service',
      severity: 'error',
      from: { path: '^gateway/' },
      to: { path: '^(services|dev|journeys|bench)/' }
    },
    {
      name: 'platform-imports-nothing-upward',
      severity: 'error',
      from: { path: '^platform/' },
      to: { path: '^(services|gateway|dev|journeys|bench)/' }
    },
    {
      name: 'dev-and-journeys-import-no-service',
      comment: 'they know the system from outside, and the table of what can be called there',
      severity: 'error',
      from: { path: '^(dev|journeys)/' },
      to: { path: '^(services|gateway)/', pathNot: '^gateway/routes\\.ts$' }
    },
    {
      name: 'queries-know-no-routes',
      comment: 'routes, verb, queries, platform: arrows run one way',
      severity: 'error',
      from: { path: '/(queries|model)\\.ts$' },
      to: { path: '/routes\\.ts$' }
    },
    {
      name: 'verbs-know-no-http',
      comment: 'only routes and the assembly know Elysia',
      severity: 'error',
      from: { path: '^services/[^/]+/[^/]+/', pathNot: '[/-]routes\\.ts$|/(stream|model)\\.ts$|\\.test\\.ts$' },
      to: { path: 'node_modules/elysia/' }
    },
    {
      name: 'product-imports-no-tests',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$|^dev/run-tests\\.ts$|^journeys/|/testing/' },
      to: { path: '\\.test\\.ts$|/testing/' }
    },
    {
      name: 'only-what-package-json-names',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // the peers of the benchmark have a package.json of their own
    exclude: { path: '^bench/peers/.*\\.mjs$' },
    // without this parser only JavaScript would be read: the standard one does not know TypeScript 7
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'bun', 'node', 'default', 'types'] },
    tsConfig: { fileName: 'tsconfig.json' }
  }
}
