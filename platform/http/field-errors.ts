import type { TSchema } from '@sinclair/typebox'
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { Value } from '@sinclair/typebox/value'
import type { ValidationError } from 'elysia'
import type { FieldError } from './problem.ts'

/** How many fields one answer names. */
const MOST_FIELDS = 20
/** How many characters of a name that a client made up are repeated to it. */
const LONGEST_PATH = 256
/** Beyond this many characters or items, what is too long is not looked at any further: patterns and comparisons could take long on it. */
const LOOKED_AT = 1_024

/** What is wrong with which field, in plain words. It stops at the first twenty: the validator makes one error for each unknown field. */
export function fieldErrorsOf({ validator, value, type }: ValidationError): FieldError[] {
  const found = new Map<string, FieldError>()
  const issues: Iterable<ValueError> = 'Errors' in validator ? validator.Errors(value) : Value.Errors(validator as TSchema, value)
  for (const issue of withFields(issues)) {
    const path = shortened(issue.path || '/')
    if (!found.has(path)) found.set(path, { path, message: messageOf(issue, type === 'body' ? 'field' : 'parameter') })
    if (found.size === MOST_FIELDS || isHuge(issue)) break
  }
  return found.size > 0 ? [...found.values()] : [{ path: '/', message: 'is not valid' }]
}

/** Where an object may be left out or null, what is wrong is with its fields, and not with the choice. */
function* withFields(issues: Iterable<ValueError>): Generator<ValueError> {
  for (const issue of issues) {
    const { type, schema, value, errors } = issue
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    const members = type === ValueErrorType.Union && isObject ? (schema.anyOf as TSchema[]) : []
    const objects = members.flatMap((member, index) => (member.type === 'object' ? [index] : []))
    const only = objects.length === 1 ? errors[objects[0] as number] : undefined
    if (only) yield* withFields(only)
    else yield issue
  }
}

const shortened = (path: string) => (path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH).toWellFormed()}…` : path)

/** The validator would go on to the pattern of a text that is too long, and to the items of a list that is. */
const isHuge = ({ type, value }: ValueError) =>
  (type === ValueErrorType.StringMaxLength || type === ValueErrorType.ArrayMaxItems) && (value as string | unknown[]).length > LOOKED_AT

/** What a value is refused for. A schema's own `error` says how the value must look; that it is missing or too long is said in other words. */
function messageOf(issue: Pick<ValueError, 'type' | 'schema'>, noun: string): string {
  const { type, schema } = issue
  if (type === ValueErrorType.ObjectAdditionalProperties) return `is not a known ${noun}`
  if (type === ValueErrorType.ObjectRequiredProperty) return 'is required'
  if (type === ValueErrorType.StringMaxLength) return `must have at most ${count(schema.maxLength, 'character')}`
  if (typeof schema.error === 'string') return schema.error
  return limitOf(issue) ?? `must be ${kindOf(schema)}`
}

const count = (number: number, noun: string) => (number === 1 ? `1 ${noun}` : `${number} ${noun}s`)

function limitOf({ type, schema }: Pick<ValueError, 'type' | 'schema'>): string | undefined {
  switch (type) {
    case ValueErrorType.StringMinLength:
      return schema.minLength === 1 ? 'must not be empty' : `must have at least ${count(schema.minLength, 'character')}`
    case ValueErrorType.StringPattern:
      return schema.pattern === '\\S'
        ? 'must not be blank'
        : `must look like ${schema.examples?.[0] ?? 'the examples in the documentation'}`
    case ValueErrorType.NumberMinimum:
      return `must be at least ${schema.minimum}`
    case ValueErrorType.NumberMaximum:
      return `must be at most ${schema.maximum}`
    case ValueErrorType.ArrayMinItems:
      return `must have at least ${count(schema.minItems, 'item')}`
    case ValueErrorType.ArrayMaxItems:
      return `must have at most ${count(schema.maxItems, 'item')}`
    case ValueErrorType.ArrayUniqueItems:
      return 'must not have the same item twice'
    case ValueErrorType.ObjectMinProperties:
      return `must have at least ${count(schema.minProperties, 'field')}`
    default:
      return undefined
  }
}

/** What a schema takes, in words that follow "must be". */
function kindOf(schema: TSchema): string {
  if (typeof schema.error === 'string') return schema.error.replace(/^must be /, '')
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.anyOf) return kindOfUnion(schema.anyOf as TSchema[])
  if (schema.type === 'number') return schema.multipleOf === 1 ? 'a whole number' : 'a number'
  return kinds[schema.type as string] ?? 'valid'
}

const kinds: Record<string, string> = {
  string: 'a text',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null'
}

function kindOfUnion(members: TSchema[]): string {
  const real = members.filter(({ type }) => type !== 'undefined')
  const isChoice = real.length > 1 && real.every((member) => 'const' in member)
  const words = real.map((member) => (isChoice ? String(member.const) : kindOf(member)))
  return isChoice ? `one of ${words.join(', ')}` : [...new Set(words)].join(' or ')
}
