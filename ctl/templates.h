/* templates - etc/main.cf and etc/master.cf as they are shipped; the build makes them. */
#ifndef CTL_TEMPLATES_H
#define CTL_TEMPLATES_H

extern const char template_main_cf[], template_master_cf[];

#endif
