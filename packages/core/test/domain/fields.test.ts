import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Fields from "../../src/domain/fields.js"
import { redact, secretShape } from "../../src/domain/secretShapes.js"

const accepts = (schema: Schema.Schema<any, any>, value: unknown) =>
  Either.isRight(Schema.decodeUnknownEither(schema)(value))

describe("fields accept what they are for, and nothing else", () => {
  const cases: ReadonlyArray<readonly [name: string, schema: Schema.Schema<any, any>, good: unknown[], bad: unknown[]]> = [
    ["Name", Fields.Name, ["api", "node1", "a.b_c-d"], ["", "-x", "a b", "a/b", "a\nb", "$(x)", "x".repeat(64)]],
    ["Port", Fields.Port, [1, 22, 65535], [0, -1, 65536, 3.5, Number.NaN, "22"]],
    ["VariableName", Fields.VariableName, ["DATABASE_URL", "_x"], ["A=1", "1A", "A B", ""]],
    ["IpAddress", Fields.IpAddress, ["10.0.0.1", "::1", "fe80::1:2", "2001:db8:0:0:0:0:0:1"], ["10.0.0", "256.1.1.1", "01.2.3.4", "::1::2", "x", "1:2"]],
    ["Domain", Fields.Domain, ["api.example.com", "*.example.com", "localhost"], ["", "a..b", "-a.com", "a b.com", "http://a"]],
    ["Interval", Fields.Interval, ["90d", "15m", "1w"], ["0d", "90", "d", "1.5h", "-1d"]],
    ["UrlPath", Fields.UrlPath, ["/", "/health?x=1"], ["health", "/a b", ""]],
    ["Text", Fields.Text, ["", "two\nlines", "مرحبا 🎉", "a\ttab"], ["\u0000", "\u001b[31m", "\ud800", "x".repeat(16_385)]],
    ["Line", Fields.Line, ["one line"], ["", "  ", "a\nb"]],
  ] // biome-ignore format: a table

  for (const [name, schema, good, bad] of cases) {
    it.each(good)(`${name} accepts value %#`, (value) => expect(accepts(schema, value)).toBe(true))
    it.each(bad)(`${name} refuses value %#`, (value) => expect(accepts(schema, value)).toBe(false))
  }

  it("keeps any text it accepts exactly as it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const decoded = Schema.decodeUnknownEither(Fields.Text)(text)
        if (Either.isRight(decoded)) expect(JSON.parse(JSON.stringify(decoded.right))).toBe(text)
        else expect(Fields.refuseText(text)).toBeTypeOf("string")
      }),
    )
  })
})

describe("what looks like a secret", () => {
  // Put together from parts, so that no scanner takes this file for a leak.
  const secrets = [
    ["AKIA", "IOSFODNN7EXAMPLE"],
    ["ghp_", "a".repeat(36)],
    ["sk_live", "_4eC39HqLyjWDarjtT1zdp7dc"],
    ["xoxb", "-123456789012-abcdefghij"],
    ["-----BEGIN OPENSSH", " PRIVATE KEY-----"],
    ["postgres://app:hunter2", "@db.example.com/app"],
    ["DB_PASSWORD", "=correcthorse"],
    ["eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0In0.abc"],
  ].map((parts) => parts.join(""))

  it.each(secrets)("is refused as text (%#)", (secret) => {
    expect(secretShape(secret)).toBeTypeOf("string")
    expect(accepts(Fields.Text, `before ${secret} after`)).toBe(false)
  })

  it.each(secrets)("is blotted out of what a command printed (%#)", (secret) => {
    expect(secretShape(redact(`before ${secret} after`))).toBeUndefined()
  })

  it.each(["$DATABASE_URL", "PASSWORD=$DB_PASSWORD npm start", "https://example.com/a:b@c", "token: see vault", "op://infra/api/key"])(
    "is not %s",
    (text) => expect(secretShape(text)).toBeUndefined(),
  ) // biome-ignore format: one line each
})
