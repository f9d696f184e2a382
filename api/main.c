/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/api.h"
#include "api/routes.h"

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--dump-routes") == 0) {
        api_routes_dump();
        return 0;
    }
    struct api_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&api_spec, argc, argv, &settings, &service);
    if (exit_code < 0) {
        exit_code = api_run(service, &settings);
    }
    weir_service_end(&service);
    return exit_code;
}
