/** Programs that are known by name: what kind of service they are, and which of them a registry has no use for. */
import type { ServiceType } from "../../domain/Service.js"

const types: ReadonlyArray<readonly [RegExp, ServiceType]> = [
  [
    /^(?:postgres|postgresql|postgis|timescaledb|mysql|mysqld|mariadb|mariadbd|mongo|mongod|mongodb|clickhouse|cockroach|cockroachdb|influxdb|influxd|sqld|libsql-server|elasticsearch|opensearch|cassandra|couchdb|neo4j|surrealdb|mssql)\b/,
    "database",
  ],
  [/^(?:redis|redis-server|valkey|valkey-server|memcached|keydb|dragonfly|varnish|varnishd)\b/, "cache"],
  [
    /^(?:rabbitmq|rabbitmq-server|nats|nats-server|kafka|redpanda|mosquitto|activemq|beanstalkd|nsqd|pulsar)\b/,
    "queue",
  ],
  [/^(?:nginx|caddy|traefik|haproxy|envoy|apache2|httpd|openresty)\b/, "proxy"],
]

/** The kind of service that a program or an image of this name is, if it is a well-known one. */
export const knownType = (name: string | undefined): ServiceType | undefined => {
  const bare = name
    ?.toLowerCase()
    .replace(/^.*\//, "")
    .replace(/[:@].*$/, "")
  return bare === undefined ? undefined : types.find(([pattern]) => pattern.test(bare))?.[1]
}

/** What answers on a well-known port where the system does not say which program it is. */
export const knownPorts: ReadonlyMap<number, string> = new Map([
  [1433, "mssql"],
  [1883, "mosquitto"],
  [3306, "mysql"],
  [4222, "nats"],
  [5432, "postgresql"],
  [5672, "rabbitmq"],
  [6379, "redis"],
  [8123, "clickhouse"],
  [9042, "cassandra"],
  [9092, "kafka"],
  [9200, "elasticsearch"],
  [11211, "memcached"],
  [27017, "mongodb"],
])

/** The system's own household, and what runs other services that are found by themselves. */
const household =
  /^(?:sshd?|dropbear|systemd(?:-.*)?|init|dbus(?:-.*)?|cron|crond|rsyslog|syslog.*|rpcbind|rpc\..*|rpc-.*|cupsd?|cups-.*|avahi.*|chronyd?|ntpd?|ntpsec|exim4?|docker|dockerd|docker-proxy|containerd.*|podman.*|conmon|rootlessport|pasta.*|slirp4netns|snapd.*|getty.*|user|polkit.*|udisks2|ModemManager|NetworkManager.*|wpa_supplicant|networkd.*|unattended-upgrades|packagekit|multipathd|irqbalance|pm2|pm2-.*|PM2|fwupd|master|dnsmasq|libvirtd|virtlogd|nmbd|smbd|cloud-init.*|cloud-config|qemu-guest-agent|supervisord)$/

/** Whether a program or unit belongs to the system rather than to whoever runs things on it. */
export const isHousehold = (name: string): boolean => household.test(name.replace(/\.service$/, "").replace(/@.*$/, ""))

/** The language or program that something runs on, going by the path of its program; `undefined` for one of its own. */
export const runtimeOf = (program: string | undefined): string | undefined => {
  const name = program?.slice(program.lastIndexOf("/") + 1).replace(/-?[\d.]+$/, "")
  return name !== undefined && /^(?:node|nodejs|bun|deno|python|ruby|php|perl|java|dotnet|beam\.smp)$/.test(name)
    ? name.replace("nodejs", "node").replace("beam.smp", "beam")
    : undefined
}
