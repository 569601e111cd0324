/* Parameters of master(8). */
#ifndef MASTER_CONF_H
#define MASTER_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define MASTER_CONF(CONF)                                                                                              \
	CONF(daemon_directory, folder, TAYORI_DAEMONS, "1", "", "Where the daemons' programs are; by default where they were installed.") \
	CONF(control_directory, folder, "/run/tayori", "1", "", "Sockets of this instance: for the commands, and those of unix services.") \
	CONF(inet_interfaces, text, "all", "1", "", "Addresses on which services listen that name only a port: all, loopback-only, or a list.") \
	CONF(inet_protocols, choice, "all", "all|ipv4|ipv6", "", "Which kinds of addresses are listened on, and used towards others.") \
	CONF_SETGID_GROUP(CONF)                                                                                        \
	CONF(service_throttle_time, time, "60s", "1s", "1h", "A service that keeps dying is started no more often than this; the pause grows up to it.") \
	CONF(certificate_check_interval, time, "1m", "0", "1d", "How often certificates and keys are looked at on disk; renewed ones are taken up and no session ends. 0: only by a reload.") \
	CONF(landlock_enable, bool, "yes", "", "", "Use Landlock where the kernel has it, beside uid, root and seccomp.") \
	CONF(service_user, text, "", "", "", "For -o in master.cf: the system user of this service, when it is not the daemon's own.") \
	CONF(service_memory_limit, size, "512M", "64M", "64G", "Address space of each daemon.")                       \
	CONF(service_descriptor_limit, count, "16K", "64", "1M", "Descriptors that each daemon may hold.")

CONF_DECLARE(master, MASTER_CONF)

#endif
